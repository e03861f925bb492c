using Errand.TestKit;
using Npgsql;

namespace Errand.PostgreSql.Tests;

/// <summary>A network that swallows everything and closes nothing: nobody says that the other side is gone.</summary>
public sealed class SilentNetworkTests : IAsyncDisposable
{
    private readonly TcpProxy _proxy;
    private readonly RecordingLogger<PostgresBackend> _log = new();
    private readonly PostgresBackend _backend;

    public SilentNetworkTests(PostgresServer server)
    {
        _proxy = new TcpProxy(server.Port);
        _backend = new PostgresBackend(
            new NpgsqlConnectionStringBuilder(server.ConnectionString()) { Port = _proxy.Port, Timeout = 2 }.ConnectionString,
            new PostgresBackendOptions
            {
                Schema = PostgresServer.NewSchema(),
                CommandTimeout = TimeSpan.FromSeconds(1),
                BusyTimeout = TimeSpan.FromSeconds(1),
            },
            _log);
    }

    public async ValueTask DisposeAsync()
    {
        await _backend.DisposeAsync();
        await _proxy.DisposeAsync();
    }

    [Fact]
    public async Task An_enqueue_ends_in_a_transient_error()
    {
        await using var queue = new TaskQueue(_backend);
        await queue.EnqueueAsync(new Count(1));
        _proxy.IsBlackHole = true;

        var refused = await Assert.ThrowsAsync<BackendException>(() => queue.EnqueueAsync(new Count(2)).WaitAsync(Eventually.Bound));

        Assert.True(refused.IsTransient);
        Assert.Contains("127.0.0.1", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_worker_comes_back_by_itself_and_nothing_is_lost_or_run_twice()
    {
        await using var load = await Load.StartAsync(_backend);
        await load.ReachesAsync(200);

        _proxy.IsBlackHole = true;
        await Eventually.TrueAsync(() => load.Refusals > 0, "callers are told");
        _proxy.IsBlackHole = false;

        await load.ReachesAsync(load.Acknowledged + 200);
        await load.EndsAsync();
    }

    [Fact]
    public async Task A_backend_can_be_disposed_of_while_nobody_answers()
    {
        await _backend.InitializeAsync();
        _proxy.IsBlackHole = true;
        var lost = _backend.NewIdAsync().AsTask();

        await _backend.DisposeAsync().AsTask().WaitAsync(Eventually.Bound);

        await Assert.ThrowsAnyAsync<Exception>(() => lost);
    }
}
