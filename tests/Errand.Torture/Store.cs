using System.Data.Common;

namespace Errand.Torture;

/// <summary>A store that several processes torture: how each opens it, and how programs of other people reach it.</summary>
internal abstract class Store
{
    /// <summary>
    /// Finished tasks: id, state, epoch, attempts, result, rows written by this epoch, and by others, when it was started last, when it
    /// ended, and <c>epoch:time</c> of its earlier starts, as far as the store keeps them.
    /// </summary>
    internal abstract string FinalsSql { get; }

    /// <summary>What must hold at the end: a query, and its answer.</summary>
    internal abstract IReadOnlyList<(string Sql, object Answer)> Checks { get; }

    /// <summary>As it is told to a process in its arguments; see <see cref="Parse"/>.</summary>
    public abstract override string ToString();

    internal static Store Parse(string text) =>
        text.StartsWith(PostgresStore.Prefix, StringComparison.Ordinal) ? PostgresStore.Parse(text) : SqliteStore.Parse(text);

    /// <summary>Points inside the engine at which a process can kill itself.</summary>
    internal abstract IReadOnlyList<CrashPoint> EnginePoints { get; }

    /// <summary>Opens it.</summary>
    /// <param name="crash">Where the process dies; null for nowhere.</param>
    /// <param name="isSilent">Whether other processes are told nothing of new tasks: polling alone must find them.</param>
    internal abstract IBackend Open(Crash? crash = null, bool isSilent = false);

    internal abstract Task<DbConnection> ConnectAsync();

    /// <summary>Harms the store itself, from the supervisor; does nothing where there is no server.</summary>
    internal virtual Task HarmAsync(Random random) => Task.CompletedTask;

    /// <summary>Whether nobody holds up everybody else that writes.</summary>
    internal virtual Task<bool> CanBeWrittenAsync() => Task.FromResult(true);

    /// <summary>Reads for long, or holds what writers need.</summary>
    internal abstract Task VandalizeAsync(DbConnection connection, Random random);

    internal async Task<object?> ScalarAsync(string sql)
    {
        await using var connection = await ConnectAsync();
        await using var command = connection.CreateCommand();
        command.CommandText = sql;
        return await command.ExecuteScalarAsync();
    }
}
