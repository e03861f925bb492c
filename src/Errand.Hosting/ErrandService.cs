using Errand.Diagnostics;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace Errand.Hosting;

/// <summary>
/// Starts and stops with the host: the store is open before any other service starts, and the workers take tasks once all have
/// started. They go on while others stop, so that requests still get their results, but no longer than leaves time to give back
/// what runs within the host's shutdown timeout.
/// </summary>
internal sealed class ErrandService : IHostedLifecycleService, IAsyncDisposable, IDisposable
{
    /// <summary>What is kept of the shutdown timeout: a second for handlers whose token was cancelled, and one to settle.</summary>
    private static readonly TimeSpan Reserve = TimeSpan.FromSeconds(2);

    private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(2);

    private readonly ErrandParts _parts;
    private readonly HostOptions _host;
    private readonly ILogger _logger;
    private readonly TaskWorker[] _workers;
    private readonly CancellationTokenSource _graceEnded = new();

    internal ErrandService(ErrandParts parts, IOptions<HostOptions> host, ILogger<ErrandBuilder> logger)
    {
        _parts = parts;
        _host = host.Value;
        _logger = logger;
        _workers = parts.IsUnderTest ? [] : [.. parts.Workers.Select(worker => parts.NewWorker(worker))];
    }

    public async Task StartingAsync(CancellationToken cancellationToken)
    {
        var started = TimeProvider.System.GetTimestamp();
        for (var failures = 0; !await IsStoreOpenAsync(started, failures, cancellationToken).ConfigureAwait(false); failures++)
        {
            var pause = TimeSpan.FromMilliseconds(Math.Min(LongestPause.TotalMilliseconds, 100 << Math.Min(failures, 5)));
            await Task.Delay(pause, TimeProvider.System, cancellationToken).ConfigureAwait(false);
        }
    }

    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartedAsync(CancellationToken cancellationToken)
    {
        foreach (var (name, queue) in _workers.Length > 0 ? _parts.NotServed() : [])
        {
            Log.QueueNotServed(_logger, name, queue);
        }

        return Task.WhenAll(_workers.Select(worker => worker.StartAsync(cancellationToken)));
    }

    public Task StoppingAsync(CancellationToken cancellationToken)
    {
        var timeout = _host.ShutdownTimeout;
        if (_workers.Length > 0 && timeout != Timeout.InfiniteTimeSpan)
        {
            // Should other services take so long to stop that the workers' own turn comes too late.
            var ended = _graceEnded.Token;
            ended.UnsafeRegister(_ => _ = StopWorkersAsync(ended), null);
            _graceEnded.CancelAfter(timeout > Reserve ? timeout - Reserve : TimeSpan.Zero);
        }

        return Task.CompletedTask;
    }

    public async Task StopAsync(CancellationToken cancellationToken)
    {
        using var ended = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, _graceEnded.Token);
        await StopWorkersAsync(ended.Token).ConfigureAwait(false);
    }

    public Task StoppedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    /// <summary>
    /// Where the host goes without a stop, such as after a failed start: there is no grace then. A stop may come beside it or
    /// later, as when a test's factory and the application's own <c>Run</c> both end the host.
    /// </summary>
    public async ValueTask DisposeAsync()
    {
        await _graceEnded.CancelAsync().ConfigureAwait(false); // And not disposed: a late stop reads it, and it holds nothing more.
        await StopWorkersAsync(_graceEnded.Token).ConfigureAwait(false);
        foreach (var worker in _workers)
        {
            await worker.DisposeAsync().ConfigureAwait(false);
        }
    }

    public void Dispose() => DisposeAsync().AsTask().GetAwaiter().GetResult();

    private async Task<bool> IsStoreOpenAsync(long started, int failures, CancellationToken cancellationToken)
    {
        try
        {
            await _parts.Backend.InitializeAsync(cancellationToken).ConfigureAwait(false);
            return true;
        }
        catch (BackendException e) when (e.IsTransient && TimeProvider.System.GetElapsedTime(started) < _parts.StoreWait)
        {
            if (failures == 0)
            {
                Log.WaitsForStore(_logger, _parts.StoreWait, e);
            }

            return false;
        }
    }

    private Task StopWorkersAsync(CancellationToken cancellationToken) =>
        Task.WhenAll(_workers.Select(worker => worker.StopAsync(cancellationToken)));
}
