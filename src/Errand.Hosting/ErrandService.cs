using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Options;

namespace Errand.Hosting;

/// <summary>
/// Starts and stops with the host: the store is open before any other service starts, the worker takes tasks once all have
/// started, and stops while what is left of the host's shutdown timeout still suffices to give tasks back.
/// </summary>
internal sealed class ErrandService(ErrandParts parts, IOptions<HostOptions> host) : IHostedLifecycleService, IAsyncDisposable
{
    /// <summary>What is kept of the shutdown timeout: a second for handlers whose token was cancelled, and one to settle.</summary>
    private static readonly TimeSpan Reserve = TimeSpan.FromSeconds(2);

    private readonly TaskWorker? _worker = parts.HasWorker ? parts.NewWorker() : null;
    private long _stoppingAt; // Written before any service stops.

    public Task StartingAsync(CancellationToken cancellationToken) => parts.Backend.InitializeAsync(cancellationToken).AsTask();

    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartedAsync(CancellationToken cancellationToken) => _worker?.StartAsync(cancellationToken) ?? Task.CompletedTask;

    public Task StoppingAsync(CancellationToken cancellationToken)
    {
        _stoppingAt = TimeProvider.System.GetTimestamp();
        return Task.CompletedTask;
    }

    public async Task StopAsync(CancellationToken cancellationToken)
    {
        if (_worker is null)
        {
            return;
        }

        using var grace = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var left = host.Value.ShutdownTimeout - TimeProvider.System.GetElapsedTime(_stoppingAt) - Reserve;
        if (host.Value.ShutdownTimeout != Timeout.InfiniteTimeSpan)
        {
            grace.CancelAfter(left > TimeSpan.Zero ? left : TimeSpan.Zero);
        }

        await _worker.StopAsync(grace.Token).ConfigureAwait(false);
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
    }
}
