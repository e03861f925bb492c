namespace Errand.Diagnostics;

/// <summary>
/// Log lines and measurements of threads that must never wait: they are handed over here, and the user's loggers and listeners get
/// them in order on the thread pool. Bounded: what does not fit is dropped and counted.
/// </summary>
internal sealed class ReportQueue : IThreadPoolWorkItem
{
    internal const int Capacity = 1_024;

    /// <summary>How long an end waits for the last reports. A logger that hangs must not keep a program from ending.</summary>
    private static readonly TimeSpan LongestFlush = TimeSpan.FromSeconds(1);

    private readonly Lock _lock = new();
    private readonly Queue<Action> _waiting = new(); // Under the lock, as everything below.
    private bool _isRunning;
    private long _dropped;
    private TaskCompletionSource? _emptied;

    /// <summary>For instruments that the writers and the heartbeat threads share.</summary>
    internal static ReportQueue OfTelemetry { get; } = new();

    /// <summary>Adds a report. Never waits, never throws.</summary>
    /// <returns>False if there is no room.</returns>
    internal bool Add(Action report)
    {
        lock (_lock)
        {
            if (_waiting.Count >= Capacity)
            {
                _dropped++;
                return false;
            }

            _waiting.Enqueue(report);
            if (_isRunning)
            {
                return true;
            }

            _isRunning = true;
        }

        ThreadPool.UnsafeQueueUserWorkItem(this, preferLocal: false);
        return true;
    }

    /// <summary>How many reports were dropped since this was asked last.</summary>
    internal long TakeDropped()
    {
        lock (_lock)
        {
            var dropped = _dropped;
            _dropped = 0;
            return dropped;
        }
    }

    /// <summary>Waits until what was added has been reported, at most for a second.</summary>
    internal async ValueTask FlushAsync()
    {
        Task emptied;
        lock (_lock)
        {
            if (!_isRunning)
            {
                return;
            }

            _emptied ??= new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            emptied = _emptied.Task;
        }

        await emptied.WaitAsync(LongestFlush, TimeProvider.System).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    /// <summary>Runs on a thread of the pool, one at a time.</summary>
    void IThreadPoolWorkItem.Execute()
    {
        while (Take() is { } report)
        {
            Quietly.Run(report);
        }
    }

    private Action? Take()
    {
        lock (_lock)
        {
            if (_waiting.TryDequeue(out var report))
            {
                return report;
            }

            _isRunning = false;
            _emptied?.SetResult();
            _emptied = null;
            return null;
        }
    }
}
