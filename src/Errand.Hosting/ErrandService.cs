using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Options;

namespace Errand.Hosting;

/// <summary>
/// Starts and stops with the host: the store is open before any other service starts, and the worker takes tasks once all have
/// started. It goes on while others stop, so that requests still get their results, but no longer than leaves time to give back
/// what runs within the host's shutdown timeout.
/// </summary>
internal sealed class ErrandService(ErrandParts parts, IOptions<HostOptions> host) : IHostedLifecycleService, IAsyncDisposable
{
    /// <summary>What is kept of the shutdown timeout: a second for handlers whose token was cancelled, and one to settle.</summary>
    private static readonly TimeSpan Reserve = TimeSpan.FromSeconds(2);

    private readonly TaskWorker? _worker = parts.HasWorker ? parts.NewWorker() : null;
    private readonly CancellationTokenSource _graceEnded = new();

    public Task StartingAsync(CancellationToken cancellationToken) =>
        parts.Backend.InitializeAsync(cancellationToken).AsTask();

    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartedAsync(CancellationToken cancellationToken) =>
        _worker?.StartAsync(cancellationToken) ?? Task.CompletedTask;

    public Task StoppingAsync(CancellationToken cancellationToken)
    {
        var timeout = host.Value.ShutdownTimeout;
        if (_worker is not null && timeout != Timeout.InfiniteTimeSpan)
        {
            // Should other services take so long to stop that the worker's own turn comes too late.
            var ended = _graceEnded.Token;
            ended.UnsafeRegister(_ => _ = _worker.StopAsync(ended), null);
            _graceEnded.CancelAfter(timeout > Reserve ? timeout - Reserve : TimeSpan.Zero);
        }

        return Task.CompletedTask;
    }

    public async Task StopAsync(CancellationToken cancellationToken)
    {
        if (_worker is not null)
        {
            using var ended = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, _graceEnded.Token);
            await _worker.StopAsync(ended.Token).ConfigureAwait(false);
        }
    }

    public Task StoppedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    /// <summary>Where the host goes without a stop, such as after a failed start: there is no grace then.</summary>
    public async ValueTask DisposeAsync()
    {
        if (_worker is not null)
        {
            await _worker.StopAsync(new CancellationToken(canceled: true)).ConfigureAwait(false);
            await _worker.DisposeAsync().ConfigureAwait(false);
        }

        _graceEnded.Dispose();
    }
}
