using Errand.Diagnostics;
using Errand.Handlers;
using Errand.Middleware;
using Errand.Payloads;
using Errand.Running;
using Microsoft.Extensions.Logging;

namespace Errand;

/// <summary>One attempt, from its start to its settlement: deserialize, run, decide, settle.</summary>
[System.Diagnostics.CodeAnalysis.SuppressMessage(
    "Design", "CA1001:Types that own disposable fields should be disposable", Justification = "The end of the attempt disposes it.")]
internal sealed partial class TaskExecution : IThreadPoolWorkItem
{
    /// <summary>How often an outcome is tried again that the store refuses while it works otherwise.</summary>
    private const int MostRefusals = 5;

    /// <summary>What runs here, within a handler.</summary>
    private static readonly AsyncLocal<TaskExecution?> Current = new();

    private readonly IBackend _backend;
    private readonly ReservedTask _task;
    private readonly HandlerBinding _handler;
    private readonly IMiddlewareSource _middleware;
    private readonly PayloadSerializer _serializer;
    private readonly WorkerIncarnation _incarnation;
    private readonly WorkerSlots _slots;
    private readonly TaskWorkerOptions _options;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly AttemptLog? _log; // Null where nothing of it is kept.
    private readonly CancellationTokenSource _cancellation = new();
    private volatile CancelReason _cancelReason; // Written by who cancels, read when the handler has ended.
    private System.Diagnostics.ActivityContext _trace; // Of the attempt's span, which has ended when the outcome is written.
    private long? _startedAt; // Reports alone, as the next two: when it was first seen running.
    private long? _seenCancelledAt;
    private bool _warned;
    private TaskContext? _context; // From the handler's start on.

    /// <summary>Calls nothing of the user's: the tasks that were reserved with this one must not suffer for it.</summary>
    internal TaskExecution(
        IBackend backend, ReservedTask task, HandlerBinding handler, IMiddlewareSource middleware, PayloadSerializer serializer,
        WorkerIncarnation incarnation, WorkerSlots slots, TaskWorkerOptions options, ILogger logger)
    {
        _backend = backend;
        _task = task;
        _handler = handler;
        _middleware = middleware;
        _serializer = serializer;
        _incarnation = incarnation;
        _slots = slots;
        _options = options;
        _time = options.TimeProvider;
        _logger = logger;
        _log = options.KeepLogs == LogLevel.None ? null : new AttemptLog(options.KeepLogs, options.TimeProvider);
    }

    internal ReservedTask Reserved => _task;

    /// <summary>Its handler begins on a thread of the worker's own.</summary>
    internal bool OwnsThread => _handler.OwnsThread;

    /// <summary>Runs on a thread of the pool, or of the worker's own.</summary>
    void IThreadPoolWorkItem.Execute() => _ = RunAsync();

    /// <summary>Cancels the handler's token. Its callbacks run on the thread pool, never on the caller.</summary>
    internal void Cancel(CancelReason reason)
    {
        // A timeout or a stop does not hide why the token was cancelled before.
        if (reason is CancelReason.Requested or CancelReason.LeaseLost || _cancelReason == CancelReason.None)
        {
            _cancelReason = reason;
        }

        _ = CancelTokenAsync();
    }

    private async Task CancelTokenAsync()
    {
        try
        {
            await _cancellation.CancelAsync().ConfigureAwait(false);
        }
        catch (ObjectDisposedException)
        {
            // The attempt ended at this very moment.
        }
        catch (AggregateException e)
        {
            // The callbacks that the handler has registered are the user's code.
            Log.TokenCallbackFailed(_logger, _task.Lease.Id.Value, _task.Name, _task.Attempt, e);
        }
    }

    /// <summary>A caller is about to wait for the end of a task. If it is a handler, the slot that it keeps may be the one it waits for.</summary>
    internal static void NoteWait()
    {
        if (Current.Value is { } waiting)
        {
            waiting._slots.LeaveAlone(waiting._task.Lease);
            if (waiting._slots.Free <= 0 && waiting._slots.NoteWait())
            {
                Log.WaitsWithoutSlot(
                    waiting._logger, waiting._task.Lease.Id.Value, waiting._task.Name, waiting._options.Concurrency);
            }
        }
    }

    /// <summary>With each heartbeat: a handler that ignores its token, or has none that would end it, is reported once.</summary>
    internal void WarnIfStuck()
    {
        if (_warned)
        {
            return;
        }

        _startedAt ??= _time.GetTimestamp();
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
                Telemetry.CountStuck(_task);
                Log.Stuck(_logger, _task.Lease.Id.Value, _task.Name, _task.Attempt, ignored);
            }
        }
        else if (_task.Timeout is null && _time.GetElapsedTime(_startedAt.Value) is var elapsed && elapsed > Defaults.LongRunningWarning)
        {
            _warned = true;
            Log.RunsLong(_logger, _task.Lease.Id.Value, _task.Name, _task.Attempt, elapsed);
        }
    }

    /// <summary>Runs the attempt to its settlement. Whatever happens in it, the slot is free again afterwards.</summary>
    /// <returns>How the handler ended, whether that could be stored or not.</returns>
    internal async Task<AttemptOutcome> RunAsync()
    {
        using var scope = Log.AttemptScope(_logger, _task.Lease.Id.Value, _task.Name, _task.Queue, _task.Attempt);
        try
        {
            AttemptOutcome outcome;
            try
            {
                outcome = await ObserveAsync().ConfigureAwait(false);
            }
            finally
            {
                _slots.LeaveAlone(_task.Lease);
                _slots.HandlerReturned();
            }

            await SaveLogAsync().ConfigureAwait(false);
            if (!await SettleAsync(outcome).ConfigureAwait(false))
            {
                Log.OutcomeDropped(_logger, _task.Lease.Id.Value, _task.Name, _task.Attempt);
                Telemetry.CountSettled(_task, "lost");
            }

            return outcome;
        }
        finally
        {
            _incarnation.Remove(this); // If it was not settled, the next reconcile releases it.
            _slots.Settled();
            _cancellation.Dispose();
        }
    }

    /// <summary>The attempt within its span, timed.</summary>
    private async ValueTask<AttemptOutcome> ObserveAsync()
    {
        Telemetry.CountStarted(_task, _time, _backend);
        using var span = Span.StartProcess(_task, _backend);
        _trace = span.Context;
        var startedAt = TimeProvider.System.GetTimestamp();
        var outcome = await AttemptAsync().ConfigureAwait(false);
        if (outcome.Error is { } error)
        {
            span.Fail(error);
        }

        if (Telemetry.MeasuresHandlers)
        {
            Telemetry.RecordHandler(_task, _backend, TimeProvider.System.GetElapsedTime(startedAt), outcome.Error);
        }

        return outcome;
    }

    private async ValueTask<AttemptOutcome> AttemptAsync()
    {
        object? payload = null;
        Exception? unreadable = null;
        try
        {
            payload = _handler.Deserialize(_task.Payload.Span, _serializer);
        }
        catch (Exception e)
        {
            unreadable = e; // Constructors and converters of the user's types run there.
        }

        var context = new TaskContext(
            _task, payload as ITaskPayload, _backend, _serializer, _time, _logger, _cancellation.Token);
        _context = context;
        if (payload is null)
        {
            return await FailedForGoodAsync(unreadable!, context, null).ConfigureAwait(false); // The same bytes would fail again: no retry.
        }

        object? result;
        IMiddlewareScope? scope = null;
        ITimer? timer = null;
        try
        {
            timer = StartTimeout();
            Current.Value = this; // Flows into the handler, and ends with this method.
            _log?.Begin(); // As well.
            scope = _middleware.Begin();
            context.Enter(scope.Services);
            result = await MiddlewareChain.ExecuteAsync(scope.Middleware, _handler, payload, context).ConfigureAwait(false);
        }
        catch (Exception e)
        {
            // The user's code may throw anything, and what it throws is data.
            var outcome = context.IsCompletedByHandler
                ? new AttemptOutcome(null, e)
                : await ConcludeAsync(e, context, scope).ConfigureAwait(false);
            return outcome with { Thrown = e };
        }
        finally
        {
            await EndAsync(scope).ConfigureAwait(false);
            timer?.Dispose();
            await context.EndAsync().ConfigureAwait(false);
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
            return await FailedForGoodAsync(e, context, null).ConfigureAwait(false);
        }
    }

    /// <summary>
    /// What the disposal of a service throws is logged. The handler has done its work, or has failed for a reason of its own: neither is
    /// changed by it.
    /// </summary>
    private async ValueTask EndAsync(IMiddlewareScope? scope)
    {
        try
        {
            if (scope is not null)
            {
                await scope.DisposeAsync().ConfigureAwait(false);
            }
        }
        catch (Exception e)
        {
            Log.ScopeFailed(_logger, _task.Lease.Id.Value, _task.Name, _task.Attempt, e);
        }
    }

    private ITimer? StartTimeout() => _task.Timeout is { } timeout
        ? _time.CreateTimer(
            static execution => ((TaskExecution)execution!).Cancel(CancelReason.TimedOut), this, timeout, Timeout.InfiniteTimeSpan)
        : null;

    /// <summary>Before the outcome: who waits for that finds the log. It is not worth an attempt: what cannot be stored is told, and dropped.</summary>
    private async ValueTask SaveLogAsync()
    {
        if (_log?.End() is not { } log || _backend.Control<IAttemptLogs>() is not { } logs)
        {
            return;
        }

        try
        {
            await logs.SaveLogAsync(_task.Lease, log, CancellationToken.None).ConfigureAwait(false);
        }
        catch (Exception e)
        {
            // A backend may throw anything, and an attempt must end.
            Log.LogNotKept(_logger, _task.Lease.Id.Value, _task.Name, _task.Attempt, e);
        }
    }

    /// <summary>Writes the outcome, for as long as it takes: shutdown does not cancel it, only the loss of the lease.</summary>
    /// <returns>False when the lease was lost, or the store works and still refuses this outcome.</returns>
    private async ValueTask<bool> SettleAsync(AttemptOutcome outcome)
    {
        var beats = _incarnation.Beats;
        for (var failures = 0; !_incarnation.IsOver; failures++)
        {
            try
            {
                outcome = await CheckAsync(outcome).ConfigureAwait(false);
                return await SettleOnceAsync(outcome).ConfigureAwait(false);
            }
            catch (ObjectDisposedException)
            {
                return false;
            }
            catch (Exception e)
            {
                // A backend may throw anything, and an attempt must end.
                if (failures >= MostRefusals && IsRefusal(e, _incarnation.Beats - beats))
                {
                    return await SettleRefusedAsync(e).ConfigureAwait(false);
                }

                _slots.TakeBack();
                var delay = TimeSpan.FromMilliseconds(Math.Min(5_000, 50 << Math.Min(failures, 7)))
                    * (0.5 + Backoff.Sample(_task.Lease.Id.Value, failures));
                Log.SettleFailed(_logger, _task.Lease.Id.Value, _task.Name, delay, e);
                await Task.Delay(delay, _time, CancellationToken.None).ConfigureAwait(false);
                _slots.HandlerReturned();
            }
        }

        return false;
    }

    /// <summary>Whether an exception is about this outcome: a store in trouble, whose heartbeats fail too, is waited for.</summary>
    private static bool IsRefusal(Exception e, int beats) => e is not BackendException { IsTransient: var mayPass } || (!mayPass && beats > 1);

    /// <summary>The attempt has failed because its outcome cannot be stored. If that cannot be stored either, reconcile releases the task.</summary>
    private async ValueTask<bool> SettleRefusedAsync(Exception refusal)
    {
        try
        {
            return await SettleOnceAsync(Failed(refusal)).ConfigureAwait(false);
        }
        catch (Exception e)
        {
            // As in the caller.
            Log.SettleRefused(_logger, _task.Lease.Id.Value, _task.Name, _task.Attempt, e);
            return false;
        }
    }

    private async ValueTask<bool> SettleOnceAsync(AttemptOutcome outcome)
    {
        var settled = outcome.Settlement is not { } settlement
            || (Span.IsSettleTraced(_trace)
                ? await TracedSettlement.WriteAsync(_backend, _task, settlement, _trace).ConfigureAwait(false)
                : await _backend.SettleAsync(_task.Lease, settlement, CancellationToken.None).ConfigureAwait(false));
        if (settled)
        {
            Report(outcome);
        }

        return settled;
    }

    /// <summary>A task that still runs under this lease was not settled by its handler: that transaction did not commit.</summary>
    private async ValueTask<AttemptOutcome> CheckAsync(AttemptOutcome outcome) =>
        outcome.Settlement is null && await _backend.HoldsAsync(_task.Lease, CancellationToken.None).ConfigureAwait(false)
            ? await ConcludeAsync(
                outcome.Exception ?? new InvalidOperationException(
                    $"The handler of '{_task.Name}' called CompleteInAsync, but its transaction was not committed when it returned."),
                _context!, null).ConfigureAwait(false)
            : outcome;

    private void Report(AttemptOutcome outcome)
    {
        var (id, name, attempt) = (_task.Lease.Id.Value, _task.Name, _task.Attempt);
        switch (outcome.Settlement)
        {
            case Settlement.Retried retried:
                Telemetry.CountSettled(_task, "retried");
                Log.AttemptFailed(_logger, id, name, attempt, _task.Retry.MaxAttempts, retried.After, outcome.Exception);
                break;
            case Settlement.Failed:
                Telemetry.CountSettled(_task, "failed");
                Log.TaskFailed(_logger, id, name, attempt, _task.Retry.MaxAttempts, outcome.Exception);
                break;
            case Settlement.Cancelled:
                Telemetry.CountSettled(_task, "cancelled");
                Log.Cancelled(_logger, id, name, attempt, outcome.Exception);
                break;
            case Settlement.Snoozed snoozed:
                Telemetry.CountSettled(_task, "snoozed");
                Log.Snoozed(_logger, id, name, attempt, snoozed.Delay);
                break;
            case Settlement.Released:
                Telemetry.CountSettled(_task, "released");
                Log.Released(_logger, id, name, outcome.Exception);
                break;
            default:
                Telemetry.CountSettled(_task, "succeeded");
                if (outcome.Exception is { } thrown)
                {
                    Log.ThrewAfterCompletion(_logger, id, name, attempt, thrown);
                }

                break;
        }
    }
}
