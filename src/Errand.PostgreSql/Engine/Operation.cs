namespace Errand.PostgreSql.Engine;

/// <summary>
/// One caller's wish, carried out by the turn loop. <see cref="Run"/> is called again when a turn is redone, so it sets what it
/// gives rather than adding to it.
/// </summary>
internal abstract class Operation
{
    /// <summary>Its place in a turn.</summary>
    internal abstract TurnPart Part { get; }

    /// <summary>How many rows of a turn it takes up.</summary>
    internal virtual int Rows => 1;

    /// <summary>How many new task ids it needs; given to it in <see cref="Ids"/> before its first run.</summary>
    internal virtual int NewIds => 0;

    /// <summary>The new ids, kept through every run.</summary>
    internal long[]? Ids { get; set; }

    /// <summary>The largest task id that its caller gave; 0 when he gave none.</summary>
    internal virtual long LargestGivenId => 0;

    /// <summary>The task whose row it locks, if it locks one.</summary>
    internal virtual long? Task => null;

    /// <summary>Whether it needs one of these tasks, which somebody else holds.</summary>
    internal virtual bool Asks(IReadOnlySet<long> held) => Task is { } id && held.Contains(id);

    /// <summary>The names of queues and tasks that must have a number before it runs.</summary>
    internal virtual IEnumerable<string> Names => [];

    /// <summary>A turn with it was sent, and the answer was lost: it may have been done already.</summary>
    internal bool MayBeDone { get; set; }

    /// <summary>Adds its statements to the turn's transaction.</summary>
    internal abstract void Run(TurnBatch batch);

    /// <summary>The transaction has been committed: the caller may know.</summary>
    internal abstract void Complete();

    /// <summary>It was not done; or, when <see cref="MayBeDone"/>, nobody knows.</summary>
    internal abstract void Fail(Exception exception);
}

/// <summary>An operation that gives its caller a <typeparamref name="T"/>.</summary>
internal abstract class Operation<T> : Operation
{
    private readonly TaskCompletionSource<T> _completion = new(TaskCreationOptions.RunContinuationsAsynchronously);

    internal Task<T> Completion => _completion.Task;

    /// <summary>Set between <see cref="Operation.Run"/> and <see cref="Operation.Complete"/>.</summary>
    internal T Result { get; set; } = default!;

    internal override void Complete() => _completion.TrySetResult(Result);

    internal override void Fail(Exception exception) => _completion.TrySetException(exception);
}
