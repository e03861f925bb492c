using Errand.Diagnostics;
using Microsoft.Extensions.Logging;

namespace Errand.Running;

/// <summary>
/// What a handler says of its progress, on its way to the store: at most one write in <see cref="Defaults.ProgressInterval"/>, and the
/// last word counts. The handler never waits for it.
/// </summary>
internal sealed class ProgressReports(IBackend backend, ReservedTask task, TimeProvider time, ILogger logger)
    : IAsyncDisposable
{
    private readonly Lock _lock = new();
    private readonly CancellationTokenSource _ended = new();
    private (double? Fraction, string? Message)? _latest; // Under the lock: what is not stored yet.
    private bool _isOver; // Under the lock.
    private Task? _writing; // Under the lock: null while nothing is being written or waited for.

    internal void Report(double? fraction, string? message)
    {
        lock (_lock)
        {
            if (!_isOver) // A thread that the handler left behind may still report.
            {
                _latest = (fraction, message);
                _writing ??= Task.Run(WriteAsync);
            }
        }
    }

    /// <summary>The handler has returned: what it said last is stored now.</summary>
    public async ValueTask DisposeAsync()
    {
        await _ended.CancelAsync().ConfigureAwait(false);
        Task? writing;
        lock (_lock)
        {
            writing = _writing;
            _isOver = true;
        }

        if (writing is not null)
        {
            await writing.ConfigureAwait(false);
        }

        _ended.Dispose();
    }

    private async Task WriteAsync()
    {
        while (Take() is { } latest)
        {
            try
            {
                await backend.ReportProgressAsync(task.Lease, latest.Fraction, latest.Message, CancellationToken.None)
                    .ConfigureAwait(false);
            }
            catch (Exception e)
            {
                // A backend may throw anything, and a report is not worth an attempt.
                Log.ProgressFailed(logger, task.Lease.Id.Value, task.Name, e);
            }

            await Task.Delay(Defaults.ProgressInterval, time, _ended.Token)
                .ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private (double? Fraction, string? Message)? Take()
    {
        lock (_lock)
        {
            var latest = _latest;
            _latest = null;
            if (latest is null)
            {
                _writing = null;
            }

            return latest;
        }
    }
}
