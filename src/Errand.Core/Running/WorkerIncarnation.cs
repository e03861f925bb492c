using Errand.Diagnostics;
using Microsoft.Extensions.Logging;

namespace Errand.Running;

/// <summary>
/// One life of a worker in the store: its id, the attempts that run under it, and the thread that reports it as alive.
/// </summary>
internal sealed class WorkerIncarnation : IDisposable
{
    /// <summary>How long a stop waits for a heartbeat that is under way: in a network that swallows all, one ends much later.</summary>
    private static readonly TimeSpan LongestBeat = TimeSpan.FromSeconds(5);

    private readonly MeasuredBackend _backend;
    private readonly TaskWorkerOptions _options;
    private readonly ReportQueue _reports;
    private readonly HandedOverLogger _logger;
    private readonly Lock _lock = new();
    private readonly Dictionary<TaskLease, TaskExecution> _running = []; // Under the lock: the worker adds, ending attempts remove.
    private readonly CancellationTokenSource _lost = new();
    private readonly ManualResetEventSlim _ended = new();
    private readonly Thread _heartbeat;
    private int _beats; // Written by the heartbeat thread, read by attempts.
    private int _isLookingForStuck; // Set by the heartbeat thread, cleared by the report.

    internal WorkerIncarnation(
        MeasuredBackend backend, WorkerId owner, TaskWorkerOptions options, ILogger logger, ReportQueue reports)
    {
        _backend = backend;
        _options = options;
        _reports = reports;
        _logger = new HandedOverLogger(logger, reports);
        Owner = owner;

        // A thread of its own: handlers that block the whole thread pool must not cost the worker its lease.
        _heartbeat = new Thread(Beat) { IsBackground = true, Name = "errand-heartbeat" };
        _heartbeat.Start();
    }

    internal WorkerId Owner { get; }

    /// <summary>Cancelled when the store no longer counts this incarnation among the living.</summary>
    internal CancellationToken Lost => _lost.Token;

    /// <summary>True once outcomes are not to be written any more: the lease was lost, or the worker has left.</summary>
    internal bool IsOver { get; private set; }

    /// <summary>How many heartbeats the store has accepted.</summary>
    internal int Beats => Volatile.Read(ref _beats);

    internal void Add(TaskExecution[] executions)
    {
        lock (_lock)
        {
            foreach (var execution in executions)
            {
                _running[execution.Reserved.Lease] = execution;
            }
        }
    }

    internal void Remove(TaskExecution execution)
    {
        lock (_lock)
        {
            _running.Remove(execution.Reserved.Lease);
        }
    }

    internal TaskExecution[] Running()
    {
        lock (_lock)
        {
            return [.. _running.Values];
        }
    }

    /// <summary>Somebody asked for a task of this incarnation to be cancelled. Told perhaps more than once, or too late.</summary>
    internal void CancelTask(TaskLease lease)
    {
        TaskExecution? execution;
        lock (_lock)
        {
            _running.TryGetValue(lease, out execution);
        }

        execution?.Cancel(CancelReason.Requested);
    }

    internal void CancelRunning(CancelReason reason)
    {
        foreach (var execution in Running())
        {
            execution.Cancel(reason);
        }
    }

    /// <summary>The lease is gone: what still runs is told so, and its outcome will be dropped.</summary>
    internal void Lose()
    {
        lock (_lock)
        {
            if (IsOver)
            {
                return;
            }

            IsOver = true;
        }

        Log.WorkerLost(_logger, Owner.Value);
        Telemetry.CountLeaseLost();
        _ended.Set();
        CancelRunning(CancelReason.LeaseLost);
        _ = _lost.CancelAsync(); // On the pool: the worker's loop must not go on upon the heartbeat's thread.
    }

    /// <summary>Ends the heartbeat. What still runs is left behind, and its outcome will be dropped.</summary>
    public void Dispose()
    {
        IsOver = true;
        _ended.Set();
        if (Thread.CurrentThread != _heartbeat)
        {
            _heartbeat.Join(LongestBeat);
        }
    }

    /// <summary>Nothing of the user's runs here, and nothing that a backend throws ends the thread, and with it the process.</summary>
    private void Beat()
    {
        while (!_ended.Wait(_options.Heartbeat))
        {
            try
            {
                if (!_backend.Heartbeat(Owner))
                {
                    Lose();
                    return;
                }

                Interlocked.Increment(ref _beats);
            }
            catch (ObjectDisposedException)
            {
                return; // The worker's loop meets the same, and reports it.
            }
            catch (Exception e)
            {
                // A backend may throw anything.
                Log.HeartbeatFailed(_logger, Owner.Value, e);
            }

            LookForStuck();
            _backend.OldestAge.Measure(_options.Heartbeat);
        }
    }

    /// <summary>Calls the worker's clock, its logger and metric listeners; run it where they delay nobody.</summary>
    private void LookForStuck()
    {
        if (Interlocked.Exchange(ref _isLookingForStuck, 1) == 0 && !_reports.Add(Look))
        {
            Volatile.Write(ref _isLookingForStuck, 0);
        }

        void Look()
        {
            Volatile.Write(ref _isLookingForStuck, 0);
            foreach (var execution in Running())
            {
                Quietly.Run(execution, static execution => execution.WarnIfStuck());
            }
        }
    }
}
