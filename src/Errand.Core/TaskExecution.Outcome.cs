using Errand.Diagnostics;
using Errand.Running;

namespace Errand;

/// <summary>What follows from the exception of a handler.</summary>
internal sealed partial class TaskExecution
{
    /// <summary>
    /// First by why the token was cancelled, whatever the handler throws then: handlers wrap a cancellation in many ways.
    /// </summary>
    private AttemptOutcome Conclude(Exception e) => _cancelReason switch
    {
        CancelReason.Requested => IsCancellation(e)
            ? new AttemptOutcome(new Settlement.Cancelled())
            : new AttemptOutcome(new Settlement.Cancelled { Reason = ErrorText.Of(e) }, e),
        CancelReason.Stopping or CancelReason.LeaseLost =>
            new AttemptOutcome(new Settlement.Released(), e is OperationCanceledException ? null : e),
        CancelReason.TimedOut when IsCancellation(e) && e is not (FailTaskException or RetryTaskException or SnoozeTaskException) =>
            Decide(new TimeoutException($"The handler of '{_task.Name}' was cancelled after its timeout of {_task.Timeout}.", e)),
        _ => Decide(e),
    };

    /// <summary>Whether an exception is a cancellation, or was caused by one.</summary>
    private static bool IsCancellation(Exception e) => e switch
    {
        OperationCanceledException => true,
        AggregateException several => several.InnerExceptions.Any(IsCancellation),
        { InnerException: { } inner } => IsCancellation(inner),
        _ => false,
    };

    /// <summary>What follows from an exception: first by what it is, then by the worker's options, else by the task's policy.</summary>
    private AttemptOutcome Decide(Exception e) => e switch
    {
        FailTaskException => FailedForGood(e),
        RetryTaskException retry => Failed(e, Backoff.Bounded(retry.After)),
        SnoozeTaskException snooze => Snoozed(snooze.Delay),
        _ => Ask(e) switch
        {
            RetryDecision.Fail => FailedForGood(e),
            RetryDecision.Retry retry => Failed(e, Backoff.Bounded(retry.Delay)),
            RetryDecision.Snooze snooze => Snoozed(snooze.Delay),
            _ => Failed(e),
        },
    };

    private RetryDecision? Ask(Exception e)
    {
        try
        {
            return _options.OnFailure?.Invoke(new FailedAttempt
            {
                Id = _task.Lease.Id,
                Name = _task.Name,
                Queue = _task.Queue,
                Attempt = _task.Attempt,
                MaxAttempts = _task.Retry.MaxAttempts,
                Exception = e,
            });
        }
        catch (Exception thrown)
        {
            // The user's code again: an attempt must not be left unsettled because of it.
            Log.DecisionFailed(_logger, _task.Lease.Id.Value, _task.Name, _task.Attempt, thrown);
            return null;
        }
    }

    private AttemptOutcome Failed(Exception e, TimeSpan? after = null)
    {
        if (_task.Attempt >= _task.Retry.MaxAttempts)
        {
            return FailedForGood(e);
        }

        var wait = after ?? Backoff.After(_task.Retry, _task.Attempt, Backoff.Sample(_task.Lease.Id.Value, _task.Attempt));
        return new(new Settlement.Retried { Error = ErrorText.Of(e), After = wait }, e);
    }

    private static AttemptOutcome FailedForGood(Exception e) => new(new Settlement.Failed { Error = ErrorText.Of(e) }, e);

    private static AttemptOutcome Snoozed(TimeSpan delay) => new(new Settlement.Snoozed { Delay = Backoff.Bounded(delay) });
}
