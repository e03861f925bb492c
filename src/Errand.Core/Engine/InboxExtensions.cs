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
}
