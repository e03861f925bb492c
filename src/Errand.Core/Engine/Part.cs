using Errand.Storage;

namespace Errand.Engine;

/// <summary>
/// One concern of an engine: what it remembers between turns, its statements, and what it does at each moment of a
/// turn. Its memory is the writer's alone.
/// </summary>
/// <remarks>
/// The moments of the doors (<see cref="Inserted"/>, <see cref="WaitsAgain"/>, <see cref="Removed"/>) are heard in
/// callers' transactions too, on the caller's thread: there a part runs statements and notes <see cref="Effects"/>, and
/// leaves its memory alone.
/// </remarks>
/// <typeparam name="TTurn">The store's transaction.</typeparam>
internal abstract class Part<TTurn>
{
    /// <summary>The moments that this part is called at; the others cost it, and the turn, nothing.</summary>
    internal abstract Moments Hears { get; }

    /// <summary>Its place in the list of parts.</summary>
    internal int Place { get; private set; }

    /// <summary>It takes its place in the list of parts.</summary>
    internal void Join(int place) => Place = place;

    /// <summary>Whether a store that was lost is opened again for this part, although nobody calls.</summary>
    internal virtual bool NeedsStore => false;

    /// <summary>
    /// Whether its upkeep continues when a newer version of Errand has upgraded the store under this engine.
    /// </summary>
    internal virtual bool WorksOutdated => false;

    /// <summary>What is remembered of the store may be untrue.</summary>
    internal virtual void Doubted(Doubt why)
    {
    }

    /// <summary>Says when the writer must take a turn for this part although nothing arrives.</summary>
    internal virtual void Plan(Agenda agenda)
    {
    }

    /// <summary>Whether a turn is worth taking for this part although it has no operation.</summary>
    internal virtual bool HasWork(long now) => false;

    /// <summary>
    /// Housekeeping that is due, to be run as an operation of this turn; null for none. Outside the transaction.
    /// </summary>
    internal virtual Action<TTurn>? Upkeep(TTurn reader, long now) => null;

    /// <summary>The transaction has begun.</summary>
    internal virtual void Began(TTurn turn)
    {
    }

    /// <summary>What settles is done; what enqueues follows.</summary>
    internal virtual void Settled(TTurn turn)
    {
    }

    /// <summary>What enqueues is done: workers that wait are given tasks.</summary>
    internal virtual void Fill(TTurn turn)
    {
    }

    /// <summary>The last moment inside the transaction.</summary>
    internal virtual void Committing(TTurn turn)
    {
    }

    /// <summary>The transaction is committed; callers are told next.</summary>
    internal virtual void Committed(Effects effects)
    {
    }

    /// <summary>The turn is over and its callers have been told. Outside any transaction.</summary>
    /// <param name="reader">Reads the store; null while it is not open.</param>
    internal virtual ValueTask TidyAsync(TTurn? reader) => default;

    /// <summary>A task has been inserted, in <paramref name="state"/>.</summary>
    internal virtual void Inserted(TTurn turn, NewTask task, long id, TaskState state, long due)
    {
    }

    /// <summary>One task or several wait again, until <paramref name="due"/>.</summary>
    internal virtual void WaitsAgain(TTurn turn, long due)
    {
    }

    /// <summary>A task and all that is kept of it is removed.</summary>
    internal virtual void Removed(TTurn turn, long id)
    {
    }

    /// <summary>
    /// Finished tasks are about to be pruned: the first of those in a state that ended before a time, oldest first.
    /// </summary>
    internal virtual void Pruning(TTurn turn, TaskState state, long before, int count)
    {
    }

    /// <summary>The store is a copy on which nobody works: what runs in it waits again, uncharged.</summary>
    internal virtual void Rest(TTurn copy)
    {
    }

    /// <summary>The store failed, and callers that wait for it get an exception.</summary>
    internal virtual void Failed(Exception exception)
    {
    }

    /// <summary>The backend is being disposed.</summary>
    internal virtual void Close(Exception disposed)
    {
    }

    /// <summary>The tables that hold this part's data: backup and verify walk them.</summary>
    internal virtual IReadOnlyList<string> Tables => [];

    /// <summary>
    /// Statements that give a sentence for each row that breaks what must be true of this part's data.
    /// </summary>
    internal virtual IReadOnlyList<string> InvariantsSql => [];
}
