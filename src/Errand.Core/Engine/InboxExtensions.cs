namespace Errand.Engine;

/// <summary>How callers wait for what they have submitted.</summary>
internal static class InboxExtensions
{
    /// <summary>Submits an operation and waits for its commit. Cancelling abandons the wait, not the commit.</summary>
    internal static ValueTask<TResult> SubmitAsync<TTurn, TResult>(
        this IInbox<TTurn> inbox, Operation<TTurn, TResult> operation, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        inbox.Submit(operation);
        return cancellationToken.CanBeCanceled ? new(operation.ToTask().WaitAsync(cancellationToken)) : operation.Answer;
    }

    /// <summary>
    /// As <see cref="SubmitAsync{TTurn, TResult}(IInbox{TTurn}, Operation{TTurn, TResult}, CancellationToken)"/>, for what would
    /// be left behind: where the wait is cancelled and the commit comes all the same, it is undone.
    /// </summary>
    internal static async ValueTask<TResult> SubmitAsync<TTurn, TResult>(
        this IInbox<TTurn> inbox, Operation<TTurn, TResult> operation, Func<TResult, Operation<TTurn>> undo,
        CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        inbox.Submit(operation);
        var answer = operation.ToTask();
        try
        {
            return await answer.WaitAsync(cancellationToken).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            _ = answer.ContinueWith(
                done => inbox.TryAdd(undo(done.Result)), CancellationToken.None,
                TaskContinuationOptions.OnlyOnRanToCompletion | TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
            throw;
        }
    }
}
