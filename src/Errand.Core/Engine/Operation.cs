using System.Threading.Tasks.Sources;

namespace Errand.Engine;

/// <summary>
/// One caller's request, carried out by a store's writer. <see cref="Run"/> is called again after a rollback, so it
/// sets its result rather than adding to it.
/// </summary>
/// <typeparam name="TTurn">The store's transaction.</typeparam>
internal abstract class Operation<TTurn> : IThreadPoolWorkItem
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

    /// <summary>Its turn failed, and it has a transaction to itself.</summary>
    internal bool IsAlone { get; private set; }

    /// <summary>Its caller takes the turn itself and waits for nothing yet: it is told where it is carried out.</summary>
    protected bool IsInline { get; private set; }

    internal void NoteInline(bool isInline) => IsInline = isInline;

    internal void Link(Operation<TTurn>? next) => Next = next;

    internal void NoteOutcomeUnknown() => MayBeDone = true;

    internal void NoteAlone() => IsAlone = true;

    /// <summary>Word to the writer, before the turn begins: called for <see cref="TurnStage.Note"/> alone.</summary>
    internal virtual void Hear()
    {
    }

    /// <summary>Does it, inside the turn's transaction; a read runs after it.</summary>
    internal virtual void Run(TTurn turn)
    {
    }

    /// <summary>The transaction is committed. On the writer.</summary>
    /// <returns>True when its caller is to be told now, on the pool.</returns>
    internal abstract bool Complete();

    /// <summary>It was not done, or with <see cref="MayBeDone"/> perhaps was. The caller gets the exception on the pool.</summary>
    internal abstract void Fail(Exception exception);

    /// <summary>Completes the caller's await, on a thread of the pool: the writer never runs a caller's code.</summary>
    protected virtual void Tell()
    {
    }

    void IThreadPoolWorkItem.Execute() => Tell();

    /// <summary>Queues <see cref="Tell"/> on the pool by itself, without a batch.</summary>
    protected void TellSoon() => ThreadPool.UnsafeQueueUserWorkItem(this, preferLocal: false);
}

/// <summary>An operation that gives its one caller a <typeparamref name="TResult"/>.</summary>
internal abstract class Operation<TTurn, TResult> : Operation<TTurn>, IValueTaskSource<TResult>
{
    private ManualResetValueTaskSourceCore<TResult> _answer; // Continues where it is set: on the pool, see Tell.
    private Exception? _failure;
    private int _hasAnswer; // Set once: what comes later changes nothing.

    /// <summary>The answer, for one await.</summary>
    internal ValueTask<TResult> Answer => new(this, _answer.Version);

    /// <summary>
    /// Set by <see cref="Operation{TTurn}.Run"/>, or until <see cref="Operation{TTurn}.Complete"/> by what it has
    /// asked.
    /// </summary>
    internal TResult Result { get; set; } = default!;

    /// <summary>
    /// Why the caller gets an exception although the transaction is committed; each run sets it again. Null for nothing.
    /// </summary>
    protected Exception? Refusal { get; set; }

    /// <summary>In place of <see cref="Answer"/>, for a caller that may stop waiting before it comes.</summary>
    internal Task<TResult> ToTask()
    {
        var task = Answer.AsTask();
        if (!task.IsCompleted)
        {
            // After the caller has stopped waiting nobody looks at a failure, which must not count as unobserved.
            _ = task.ContinueWith(
                static failed => failed.Exception, CancellationToken.None,
                TaskContinuationOptions.OnlyOnFaulted | TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
        }

        return task;
    }

    /// <summary>What <see cref="Operation{TTurn}.Run"/> gave, where nobody waits for the answer.</summary>
    internal TResult TakeResult() => Refusal is { } refusal ? throw refusal : Result;

    internal override bool Complete()
    {
        if (!TakeAnswer(Refusal))
        {
            return false;
        }

        if (IsInline)
        {
            Tell();
        }

        return !IsInline;
    }

    internal override void Fail(Exception exception)
    {
        if (!TakeAnswer(exception))
        {
            return;
        }

        if (IsInline)
        {
            Tell();
        }
        else
        {
            TellSoon();
        }
    }

    /// <summary>Completes it outside the turn that it came in.</summary>
    internal void CompleteAlone()
    {
        if (Complete())
        {
            TellSoon();
        }
    }

    protected sealed override void Tell()
    {
        if (_failure is { } failure)
        {
            _answer.SetException(failure);
        }
        else
        {
            _answer.SetResult(Result);
        }
    }

    private bool TakeAnswer(Exception? failure)
    {
        if (Interlocked.Exchange(ref _hasAnswer, 1) != 0)
        {
            return false;
        }

        _failure = failure;
        return true;
    }

    TResult IValueTaskSource<TResult>.GetResult(short token) => _answer.GetResult(token);

    ValueTaskSourceStatus IValueTaskSource<TResult>.GetStatus(short token) => _answer.GetStatus(token);

    void IValueTaskSource<TResult>.OnCompleted(
        Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags) =>
        _answer.OnCompleted(continuation, state, token, flags);
}
