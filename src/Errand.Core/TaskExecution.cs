using Errand.Diagnostics;
using Errand.Handlers;
using Errand.Payloads;
using Errand.Running;
using Microsoft.Extensions.Logging;

namespace Errand;

/// <summary>One attempt, from its start to its settlement: deserialize, run, decide, settle.</summary>
internal sealed class TaskExecution : IThreadPoolWorkItem
{
    private readonly IBackend _backend;
    private readonly ReservedTask _task;
    private readonly HandlerBinding _handler;
    private readonly PayloadSerializer _serializer;
    private readonly WorkerIncarnation _incarnation;
    private readonly WorkerSlots _slots;
    private readonly TaskWorkerOptions _options;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly CancellationTokenSource _cancellation;
    private readonly long _startedAt;
    private volatile CancelReason _cancelReason; // Written by who cancels, read when the handler has returned.
    private bool _warned; // Heartbeat thread only, as the next.
    private long? _seenCancelledAt;

    internal TaskExecution(
        IBackend backend, ReservedTask task, HandlerBinding handler, PayloadSerializer serializer,
        WorkerIncarnation incarnation, WorkerSlots slots, TaskWorkerOptions options, ILogger logger)
    {
        _backend = backend;
        _task = task;
        _handler = handler;
        _serializer = serializer;
        _incarnation = incarnation;
        _slots = slots;
        _options = options;
        _time = options.TimeProvider;
        _logger = logger;
        _startedAt = _time.GetTimestamp();
        _cancellation = task.Timeout is { } timeout
            ? new CancellationTokenSource(timeout, _time)
            : new CancellationTokenSource();
    }

    internal ReservedTask Reserved => _task;

    /// <summary>Runs on a thread of the pool.</summary>
    void IThreadPoolWorkItem.Execute() => _ = RunAsync();

    /// <summary>Cancels the handler's token. Its callbacks run on the thread pool, never on the caller.</summary>
    internal void Cancel(CancelReason reason)
    {
        if (reason != CancelReason.Stopping || _cancelReason == CancelReason.None)
        {
            _cancelReason = reason; // A stop does not hide that the task was to be cancelled.
        }

        try
        {
            _ = _cancellation.CancelAsync();
        }
        catch (ObjectDisposedException)
        {
            // The attempt ended at this very moment.
        }
    }

    /// <summary>With each heartbeat: a handler that ignores its token, or has none that would end it, is reported once.</summary>
    internal void WarnIfStuck()
    {
        if (_warned)
        {
            return;
        }

        if (_seenCancelledAt is null && _cancellation.IsCancellationRequested)
        {
            _seenCancelledAt = _time.GetTimestamp();
        }

        if (_seenCancelledAt is { } since)
        {
            var ignored = _time.GetElapsedTime(since);
            if (ignored >= Defaults.StuckAfter)
            {
                _warned = true;
                Telemetry.Stuck.Add(1, Telemetry.TagsOf(_task.Queue, _task.Name));
                Log.Stuck(_logger, _task.Lease.Id.Value, _task.Name, _task.Attempt, ignored);
            }
        }
        else if (_task.Timeout is null && _time.GetElapsedTime(_startedAt) is var elapsed && elapsed > Defaults.LongRunningWarning)
        {
            _warned = true;
            Log.RunsLong(_logger, _task.Lease.Id.Value, _task.Name, _task.Attempt, elapsed);
        }
    }

    /// <summary>Runs the attempt to its settlement.</summary>
    /// <returns>How the handler ended, whether that could be stored or not.</returns>
    internal async Task<AttemptOutcome> RunAsync()
    {
        using var scope = Log.AttemptScope(_logger, _task.Lease.Id.Value, _task.Name, _task.Queue, _task.Attempt);
        var outcome = await ObserveAsync().ConfigureAwait(false);
        _slots.HandlerReturned();
        if (!await SettleAsync(outcome).ConfigureAwait(false))
        {
            Log.OutcomeDropped(_logger, _task.Lease.Id.Value, _task.Name, _task.Attempt);
            Count("lost");
        }

        _incarnation.Remove(this);
        _slots.Settled();
        _cancellation.Dispose();
        return outcome;
    }

    /// <summary>The attempt within its span, timed.</summary>
    private async ValueTask<AttemptOutcome> ObserveAsync()
    {
        if (Telemetry.Started.Enabled || Telemetry.Lag.Enabled)
        {
            var tags = Telemetry.TagsOf(_task.Queue, _task.Name);
            Telemetry.Started.Add(1, tags);
            Telemetry.Lag.Record(Math.Max(0, (_time.GetUtcNow() - _task.DueAt).TotalSeconds), tags);
        }

        using var activity = Telemetry.StartProcess(_task);
        var startedAt = _time.GetTimestamp();
        var outcome = await AttemptAsync().ConfigureAwait(false);
        if (outcome.Error is { } error)
        {
            Telemetry.Fail(activity, error);
        }

        if (Telemetry.ProcessDuration.Enabled)
        {
            var tags = Telemetry.TagsOf(_task.Queue, _task.Name);
            if (outcome.Error is { } thrown)
            {
                tags.Add(Telemetry.ErrorTag, thrown.GetType().FullName);
            }

            Telemetry.ProcessDuration.Record(_time.GetElapsedTime(startedAt).TotalSeconds, tags);
        }

        return outcome;
    }

    private async ValueTask<AttemptOutcome> AttemptAsync()
    {
        object payload;
        try
        {
            payload = _handler.Deserialize(_task.Payload.Span, _serializer);
        }
        catch (Exception e)
        {
            // Constructors and converters of the user's types run here. The same bytes would fail again: no retry.
            return FailedForGood(e);
        }

        object? result;
        var context = new TaskContext(_task, _backend, _serializer, _time, _logger, _cancellation.Token);
        try
        {
            try
            {
                result = await _handler.RunAsync(payload, context).ConfigureAwait(false);
            }
            finally
            {
                await context.EndAsync().ConfigureAwait(false);
            }
        }
        catch (Exception e) when (context.IsCompletedByHandler)
        {
            return new AttemptOutcome(null, e);
        }
        catch (OperationCanceledException e) when (_cancellation.IsCancellationRequested)
        {
            return _cancelReason switch
            {
                CancelReason.None => Decide(TimedOut(e)),
                CancelReason.Requested => new AttemptOutcome(new Settlement.Cancelled()),
                _ => new AttemptOutcome(new Settlement.Released()),
            };
        }
        catch (Exception e)
        {
            // The user's code may throw anything, and what it throws is data.
            return _cancelReason == CancelReason.Requested
                ? new AttemptOutcome(new Settlement.Cancelled { Reason = ErrorText.Of(e) }, e)
                : Decide(e);
        }

        if (context.IsCompletedByHandler)
        {
            return new AttemptOutcome(null);
        }

        try
        {
            var json = _handler.Serialize(result, _serializer);
            return new AttemptOutcome(
                json.IsEmpty ? Settlement.Succeeded.WithoutResult : new Settlement.Succeeded { Result = json });
        }
        catch (Exception e)
        {
            // The handler has done its work; running it again would give the same result, and its effects twice.
            return FailedForGood(e);
        }
    }

    private TimeoutException TimedOut(OperationCanceledException e) =>
        new($"The handler of '{_task.Name}' was cancelled after its timeout of {_task.Timeout}.", e);

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

    /// <summary>Writes the outcome, for as long as it takes: shutdown does not cancel it, only the loss of the lease.</summary>
    /// <returns>False when the lease was lost.</returns>
    private async ValueTask<bool> SettleAsync(AttemptOutcome outcome)
    {
        for (var failures = 0; !_incarnation.IsOver; failures++)
        {
            try
            {
                outcome = await CheckAsync(outcome).ConfigureAwait(false);
                var settled = outcome.Settlement is not { } settlement
                    || await _backend.SettleAsync(_task.Lease, settlement, CancellationToken.None).ConfigureAwait(false);
                if (settled)
                {
                    Report(outcome);
                }

                return settled;
            }
            catch (BackendException e)
            {
                _slots.TakeBack();
                var delay = TimeSpan.FromMilliseconds(Math.Min(5_000, 50 << Math.Min(failures, 7)))
                    * (0.5 + Backoff.Sample(_task.Lease.Id.Value, failures));
                Log.SettleFailed(_logger, _task.Lease.Id.Value, _task.Name, delay, e);
                await Task.Delay(delay, _time, CancellationToken.None).ConfigureAwait(false);
                _slots.HandlerReturned();
            }
            catch (ObjectDisposedException)
            {
                return false;
            }
        }

        return false;
    }

    /// <summary>A task that still runs under this lease was not settled by its handler: that transaction did not commit.</summary>
    private async ValueTask<AttemptOutcome> CheckAsync(AttemptOutcome outcome) =>
        outcome.Settlement is null && await _backend.HoldsAsync(_task.Lease, CancellationToken.None).ConfigureAwait(false)
            ? Failed(outcome.Exception ?? new InvalidOperationException(
                $"The handler of '{_task.Name}' called CompleteInAsync, but its transaction was not committed when it returned."))
            : outcome;

    private void Report(AttemptOutcome outcome)
    {
        var (id, name, attempt) = (_task.Lease.Id.Value, _task.Name, _task.Attempt);
        switch (outcome.Settlement)
        {
            case Settlement.Retried retried:
                Count("retried");
                Log.AttemptFailed(_logger, id, name, attempt, _task.Retry.MaxAttempts, retried.After, outcome.Exception);
                break;
            case Settlement.Failed:
                Count("failed");
                Log.TaskFailed(_logger, id, name, attempt, _task.Retry.MaxAttempts, outcome.Exception);
                break;
            case Settlement.Cancelled:
                Count("cancelled");
                Log.Cancelled(_logger, id, name, attempt, outcome.Exception);
                break;
            case Settlement.Snoozed snoozed:
                Count("snoozed");
                Log.Snoozed(_logger, id, name, attempt, snoozed.Delay);
                break;
            case Settlement.Released:
                Count("released");
                Log.Released(_logger, id, name);
                break;
            default:
                Count("succeeded");
                if (outcome.Exception is { } thrown)
                {
                    Log.ThrewAfterCompletion(_logger, id, name, attempt, thrown);
                }

                break;
        }
    }

    private void Count(string outcome)
    {
        if (Telemetry.Settled.Enabled)
        {
            var tags = Telemetry.TagsOf(_task.Queue, _task.Name);
            tags.Add(Telemetry.OutcomeTag, outcome);
            Telemetry.Settled.Add(1, tags);
        }
    }
}
