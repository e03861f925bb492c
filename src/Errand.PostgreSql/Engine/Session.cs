using Npgsql;

namespace Errand.PostgreSql.Engine;

/// <summary>
/// One open connection of the turns, and what is known as long as it is open: numbers of names, blocks of ids, and
/// which ids were given out. A new one takes its place whenever the connection is replaced; nothing is reset.
/// </summary>
internal sealed class Session(NpgsqlConnection connection, bool isPooled, SchemaMark mark, Session? previous)
    : IAsyncDisposable
{
    internal NpgsqlConnection Connection => connection;

    /// <summary>Behind a pooler of transactions: nothing is prepared, and no setting outlives a transaction.</summary>
    internal bool IsPooled => isPooled;

    /// <summary>Whether its user may vacuum the live tasks: the server skips the table of another without an error.</summary>
    internal bool MayVacuum { get; init; } = true;

    /// <summary>
    /// Kept from the previous session of the same store: a name has its number forever, and workers wait on names
    /// across sessions. Read by callers' transactions as well, after the writer has filled it for them.
    /// </summary>
    internal InternedNames Names { get; } = previous?.Mark.Store == mark.Store ? previous.Names : new InternedNames();

    /// <summary>
    /// Blocks are forgotten with their session: the server of the next one may be a promoted standby, which gives them
    /// again.
    /// </summary>
    internal TaskIds Ids { get; } = new();

    /// <summary>No id of this size or more was known to be given, when last looked at.</summary>
    internal long GivenBelow { get; private set; }

    /// <summary>What the schema said of itself when last looked at.</summary>
    internal SchemaMark Mark { get; private set; } = mark;

    /// <summary>The sequence has given this block last; 0 for none.</summary>
    internal void SawLastBlock(long first) => GivenBelow = first == 0 ? 1 : first + TaskIds.BlockSize;

    /// <summary>The previous session was of the same store, and knew of these ids.</summary>
    internal void SawIds(long largest) => Ids.Saw(largest);

    internal void SawMark(SchemaMark seen) => Mark = seen;

    public ValueTask DisposeAsync() => connection.DisposeAsync();
}
