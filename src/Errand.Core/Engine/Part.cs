namespace Errand.Engine;

/// <summary>
/// One concern of an engine: what it remembers between turns, its statements, and what it does at each moment of a turn. Its
/// memory is the writer's alone.
/// </summary>
/// <remarks>
/// The moments of the doors (<see cref="Inserted"/>, <see cref="WaitsAgain"/>, <see cref="Removed"/>) are heard in callers'
/// transactions too, on the caller's thread: there a part runs statements and notes <see cref="Effects"/>, and leaves its memory
/// alone.
/// </remarks>
/// <typeparam name="TTurn">The store's transaction.</typeparam>
internal abstract class Part<TTurn>
{
    /// <summary>The moments that this part is called at; the others cost it, and the turn, nothing.</summary>
    internal abstract Moments Hears { get; }

    /// <summary>Its place in the list of parts.</summary>
    internal int Place { get; set; }

    /// <summary>Whether a store that was lost is opened again for this part, although nobody calls.</summary>
    internal virtual bool NeedsStore => false;

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

    /// <summary>Housekeeping that is due, to be run as an operation of this turn; null for none.</summary>
    internal virtual Action<TTurn>? Upkeep(long now) => null;

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

    /// <summary>A task that ran waits again, until <paramref name="due"/>.</summary>
    internal virtual void WaitsAgain(TTurn turn, long id, long due)
    {
    }

    /// <summary>A task and all that is kept of it is removed.</summary>
    internal virtual void Removed(TTurn turn, long id)
    {
    }

    /// <summary>The store failed, and whoever waits for it is told so.</summary>
    internal virtual void Failed(Exception exception)
    {
    }

    /// <summary>The backend is being disposed.</summary>
    internal virtual void Close(Exception disposed)
    {
    }

    /// <summary>The tables that hold this part's data: backup, verify and whoever moves a store walk them.</summary>
    internal virtual IReadOnlyList<string> Tables => [];

    /// <summary>Statements that give a sentence for each row that breaks what must be true of this part's data.</summary>
    internal virtual IReadOnlyList<string> InvariantsSql => [];
}

/// <summary>The moments that a part can hear.</summary>
[Flags]
internal enum Moments
{
    None = 0,
    Doubted = 1,
    Plan = 1 << 1,
    HasWork = 1 << 2,
    Upkeep = 1 << 3,
    Began = 1 << 4,
    Settled = 1 << 5,
    Fill = 1 << 6,
    Committing = 1 << 7,
    Committed = 1 << 8,
    Tidy = 1 << 9,
    Inserted = 1 << 10,
    WaitsAgain = 1 << 11,
    Removed = 1 << 12,
}

/// <summary>Why what a part remembers may be untrue.</summary>
internal enum Doubt
{
    /// <summary>The store was opened, perhaps another one than before.</summary>
    Opened,

    /// <summary>Another connection may have written since the last turn.</summary>
    OthersWrote,

    /// <summary>The transaction was rolled back.</summary>
    RolledBack,

    /// <summary>The transaction was to be committed, and nobody knows whether it was.</summary>
    OutcomeUnknown,
}
