using Errand.Diagnostics;
using Errand.Middleware;
using Errand.Running;

namespace Errand;

/// <summary>What follows from the exception of a handler.</summary>
internal sealed partial class TaskExecution
{
    /// <summary>
    /// First by why the token was cancelled, whatever the handler throws then: handlers wrap a cancellation in many ways.
    /// </summary>
    private async ValueTask<AttemptOutcome> ConcludeAsync(Exception e, TaskContext context, IMiddlewareScope? scope) => _cancelReason switch
    {
        CancelReason.Requested => IsCancellation(e)
            ? new AttemptOutcome(new Settlement.Cancelled())
            : new AttemptOutcome(new Settlement.Cancelled { Reason = ErrorText.Of(e) }, e),
        CancelReason.Stopping or CancelReason.LeaseLost =>
            new AttemptOutcome(new Settlement.Released(), e is OperationCanceledException ? null : e),
        CancelReason.TimedOut when IsCancellation(e) && e is not (FailTaskException or RetryTaskException or SnoozeTaskException) =>
            await DecideAsync(
                new TimeoutException($"The handler of '{_task.Name}' was cancelled after its timeout of {_task.Timeout}.", e), context, scope)
                .ConfigureAwait(false),
        _ => await DecideAsync(e, context, scope).ConfigureAwait(false),
    };

    /// <summary>Whether an exception is a cancellation, or was caused by one.</summary>
    private static bool IsCancellation(Exception e) => e switch
    {
        OperationCanceledException => true,
        AggregateException several => several.InnerExceptions.Any(IsCancellation),
        { InnerException: { } inner } => IsCancellation(inner),
        _ => false,
    };

    /// <summary>What follows from an exception: first by what it is, then by the worker's options and failure handlers, else by the task's policy.</summary>
    private async ValueTask<AttemptOutcome> DecideAsync(Exception e, TaskContext context, IMiddlewareScope? scope)
    {
        var decision = e switch
        {
            FailTaskException => RetryDecision.FailNow,
            RetryTaskException retry => RetryDecision.RetryAfter(retry.After),
            SnoozeTaskException snooze => RetryDecision.SnoozeFor(snooze.Delay),
            _ => Ask(e),
        };
        if (decision is not RetryDecision.Snooze)
        {
            decision = await TellAsync(e, decision, context, scope).ConfigureAwait(false);
        }

        return decision switch
        {
            RetryDecision.Fail => FailedForGood(e),
            RetryDecision.Retry retry => Failed(e, Backoff.Bounded(retry.Delay)),
            RetryDecision.Snooze snooze => Snoozed(snooze.Delay),
            _ => Failed(e),
        };
    }

    private async ValueTask<AttemptOutcome> FailedForGoodAsync(Exception e, TaskContext context, IMiddlewareScope? scope)
    {
        await TellAsync(e, RetryDecision.FailNow, context, scope).ConfigureAwait(false);
        return FailedForGood(e);
    }

    /// <summary>Tells the failure handlers, in the attempt's scope while there is one.</summary>
    /// <returns>The decision: as it was, or that of the first which makes one where there was none.</returns>
    private async ValueTask<RetryDecision?> TellAsync(
        Exception e, RetryDecision? decision, TaskContext context, IMiddlewareScope? scope)
    {
        IMiddlewareScope? own = null;
        try
        {
            scope ??= own = _middleware.Begin();
            context.Enter(scope.Services);
            foreach (var handler in scope.FailureHandlers)
            {
                decision = await TellAsync(handler, e, decision, context).ConfigureAwait(false);
            }
        }
        catch (Exception thrown)
        {
            // The container makes them, by constructors of the user's.
            Log.FailureHandlerFailed(_logger, _task.Lease.Id.Value, _task.Name, _task.Attempt, thrown);
        }
        finally
        {
            await EndAsync(own).ConfigureAwait(false);
        }

        return decision;
    }

    private async ValueTask<RetryDecision?> TellAsync(ITaskFailureHandler handler, Exception e, RetryDecision? decision, TaskContext context)
    {
        try
        {
            var said = await handler.HandleAsync(
                Describe(e) with { WillRetry = decision is not RetryDecision.Fail && _task.Attempt < _task.Retry.MaxAttempts }, context)
                .ConfigureAwait(false);
            return decision ?? said;
        }
        catch (Exception thrown)
        {
            Log.FailureHandlerFailed(_logger, _task.Lease.Id.Value, _task.Name, _task.Attempt, thrown);
            return decision;
        }
    }

    private RetryDecision? Ask(Exception e)
    {
        try
        {
            return _options.OnFailure?.Invoke(Describe(e)) is { } decision and not RetryDecision.Policy ? decision : null;
        }
        catch (Exception thrown)
        {
            // The user's code again: an attempt must not be left unsettled because of it.
            Log.DecisionFailed(_logger, _task.Lease.Id.Value, _task.Name, _task.Attempt, thrown);
            return null;
        }
    }

    private FailedAttempt Describe(Exception e) => new()
    {
        Id = _task.Lease.Id,
        Name = _task.Name,
        Queue = _task.Queue,
        Attempt = _task.Attempt,
        MaxAttempts = _task.Retry.MaxAttempts,
        Exception = e,
        WillRetry = _task.Attempt < _task.Retry.MaxAttempts,
    };

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
