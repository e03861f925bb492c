namespace Errand.Engine;

/// <summary>
/// One caller's request, carried out by a store's writer. <see cref="Run"/> is called again after a rollback, so it
/// sets its result rather than adding to it.
/// </summary>
/// <typeparam name="TTurn">The store's transaction.</typeparam>
internal abstract class Operation<TTurn>
{
    /// <summary>The next one in the inbox: linked by the caller, followed by the writer.</summary>
    internal Operation<TTurn>? Next { get; private set; }

    /// <summary>Its place in a turn.</summary>
    internal abstract TurnStage Stage { get; }

    /// <summary>How many rows of a turn it takes up, where turns are bounded by rows.</summary>
    internal virtual int Rows => 1;

    /// <summary>How many bytes of payloads or results it writes, where turns are bounded by bytes.</summary>
    internal virtual long Bytes => 0;

    /// <summary>
    /// Whether it finishes what runs, such as a settlement or a heartbeat: an engine that meets a newer schema still
    /// does that, and nothing else. Default is false.
    /// </summary>
    internal virtual bool Finishes => false;

    /// <summary>
    /// A transaction with this operation was sent to be committed and the answer was lost: it may be done already.
    /// </summary>
    internal bool MayBeDone { get; private set; }

    internal void Link(Operation<TTurn>? next) => Next = next;

    internal void NoteOutcomeUnknown() => MayBeDone = true;

    /// <summary>Word to the writer, before the turn begins: called for <see cref="TurnStage.Note"/> alone.</summary>
    internal virtual void Hear()
    {
    }

    /// <summary>Does it, inside the turn's transaction; a read runs after it.</summary>
    internal virtual void Run(TTurn turn)
    {
    }

    /// <summary>The transaction is committed: the caller may know.</summary>
    internal abstract void Complete();

    /// <summary>It was not done; or, when <see cref="MayBeDone"/>, nobody knows.</summary>
    internal abstract void Fail(Exception exception);
}

/// <summary>An operation that gives its caller a <typeparamref name="TResult"/>.</summary>
internal abstract class Operation<TTurn, TResult> : Operation<TTurn>
{
    private readonly TaskCompletionSource<TResult> _completion = new(TaskCreationOptions.RunContinuationsAsynchronously);

    internal Task<TResult> Completion => _completion.Task;

    /// <summary>
    /// Set by <see cref="Operation{TTurn}.Run"/>, or until <see cref="Operation{TTurn}.Complete"/> by what it has
    /// asked.
    /// </summary>
    internal TResult Result { get; set; } = default!;

    /// <summary>
    /// Why the caller gets an exception although the transaction is committed; each run sets it again. Null for nothing.
    /// </summary>
    protected Exception? Refusal { get; set; }

    internal override void Complete()
    {
        if (Refusal is null)
        {
            _completion.TrySetResult(Result);
        }
        else
        {
            SetException(Refusal);
        }
    }

    internal override void Fail(Exception exception) => SetException(exception);

    private void SetException(Exception exception)
    {
        _completion.TrySetException(exception);
        _ = _completion.Task.Exception; // A caller that has cancelled its wait sees it nowhere, and it is not unobserved.
    }
}
