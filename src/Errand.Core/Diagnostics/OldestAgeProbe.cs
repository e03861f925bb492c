namespace Errand.Diagnostics;

/// <summary>
/// Measures how long the oldest task has been waiting, once for all workers of a backend. Only the heartbeat threads ask for it, and they
/// never wait for it: a store that is slow to answer must not cost a worker its lease.
/// </summary>
internal sealed class OldestAgeProbe(IBackend backend)
{
    private int _isMeasuring; // Set by a heartbeat thread, cleared by the pool thread that has measured.
    private long _begunAt; // Written by the heartbeat thread that has set the flag.
    private bool _hasBegun; // As _begunAt.

    /// <summary>Begins a measurement on the thread pool, unless one is under way or has begun less than half a heartbeat ago.</summary>
    internal void Measure(TimeSpan heartbeat)
    {
        if (!Telemetry.MeasuresOldestAge || Interlocked.Exchange(ref _isMeasuring, 1) == 1)
        {
            return;
        }

        if (_hasBegun && TimeProvider.System.GetElapsedTime(_begunAt) < heartbeat / 2)
        {
            Volatile.Write(ref _isMeasuring, 0);
            return;
        }

        _hasBegun = true;
        _begunAt = TimeProvider.System.GetTimestamp();
        _ = Task.Run(MeasureAsync);
    }

    private async Task MeasureAsync()
    {
        try
        {
            if (backend.Control<IQueueInspector>() is { } inspector)
            {
                var oldest = await inspector.GetOldestWaitingAsync().ConfigureAwait(false);
                Telemetry.RecordOldestAge(oldest ?? TimeSpan.Zero);
            }
        }
        catch (Exception)
        {
            // A gauge without a value is the report. The store's own trouble shows at the heartbeat, and whatever else an inspector
            // or a listener throws must not end the process as an unobserved fault.
        }
        finally
        {
            Volatile.Write(ref _isMeasuring, 0);
        }
    }
}
