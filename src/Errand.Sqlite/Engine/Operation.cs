namespace Errand.Sqlite.Engine;

/// <summary>
/// One caller's wish, carried out by the writer thread. <see cref="Run"/> may be called again after a rollback, so it sets what it
/// gives rather than adding to it.
/// </summary>
internal abstract class Operation
{
    /// <summary>The next in the inbox: set by the caller, followed by the writer.</summary>
    internal Operation? Next { get; set; }

    /// <summary>Its place in a turn.</summary>
    internal abstract TurnPart Part { get; }

    /// <summary>How many new task ids it needs.</summary>
    internal virtual int NewIds => 0;

    /// <summary>How many ids it needs to be kept ready for callers' transactions.</summary>
    internal virtual int SpareIds => 0;

    /// <summary>Does it, inside the turn's transaction.</summary>
    internal abstract void Run();

    /// <summary>The transaction has been committed: the caller may know.</summary>
    internal abstract void Complete();

    /// <summary>It was not done.</summary>
    internal abstract void Fail(Exception exception);
}

/// <summary>An operation that gives its caller a <typeparamref name="T"/>.</summary>
internal abstract class Operation<T> : Operation
{
    private readonly TaskCompletionSource<T> _completion = new(TaskCreationOptions.RunContinuationsAsynchronously);

    internal Task<T> Completion => _completion.Task;

    /// <summary>Set by <see cref="Operation.Run"/>.</summary>
    protected T Result { get; set; } = default!;

    internal override void Complete() => _completion.TrySetResult(Result);

    internal override void Fail(Exception exception) => _completion.TrySetException(exception);
}
