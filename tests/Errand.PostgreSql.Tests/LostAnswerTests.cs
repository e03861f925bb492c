using Npgsql;

namespace Errand.PostgreSql.Tests;

/// <summary>The connection is cut between a commit and its answer: nobody knows, and the backend finds out.</summary>
public sealed class LostAnswerTests : IAsyncDisposable
{
    private static readonly NewTask Some = new() { Name = "a", Payload = "{}"u8.ToArray() };

    private readonly string _direct;
    private readonly TcpProxy _proxy;
    private readonly PostgresBackend _backend;

    public LostAnswerTests(PostgresServer server)
    {
        _direct = server.ConnectionString();
        _proxy = new TcpProxy(server.Port);
        _backend = new PostgresBackend(
            new NpgsqlConnectionStringBuilder(_direct) { Port = _proxy.Port }.ConnectionString,
            new PostgresBackendOptions { Schema = PostgresServer.NewSchema(), UseNotify = false });
    }

    public async ValueTask DisposeAsync()
    {
        await _backend.DisposeAsync();
        await _proxy.DisposeAsync();
    }

    private Task<object?> AskAsync(string sql) =>
        PostgresServer.ExecuteAsync(_direct, sql.Replace("errand.", _backend.Schema + ".", StringComparison.Ordinal));

    private ValueTask<WorkerId> BeginAsync() =>
        _backend.BeginWorkerAsync(new WorkerRegistration { Lease = TimeSpan.FromSeconds(30), TaskNames = ["a"] });

    private ValueTask<IReadOnlyList<ReservedTask>> TakeAsync(WorkerId owner, TimeSpan wait) =>
        _backend.ReserveAsync(new ReserveRequest { Owner = owner, MaxTasks = 10, Wait = wait });

    [Fact]
    public async Task A_task_whose_enqueue_lost_its_answer_exists_once()
    {
        await _backend.InitializeAsync();
        _proxy.CutAnswerTo("insert into");

        var enqueued = await _backend.EnqueueAsync([Some, Some]);

        Assert.Equal(1, _proxy.Cuts);
        Assert.All(enqueued, one => Assert.True(one.IsNew));
        Assert.Equal(2L, await AskAsync("select count(*) from errand.errand_tasks"));
    }

    [Fact]
    public async Task A_success_that_lost_its_answer_counts_and_a_second_does_not()
    {
        var owner = await BeginAsync();
        await _backend.EnqueueAsync([Some]);
        var lease = (await TakeAsync(owner, TimeSpan.Zero))[0].Lease;
        _proxy.CutAnswerTo("20, result");

        Assert.True(await _backend.MarkSuccessAsync(lease, "1"u8.ToArray()));

        Assert.Equal(1, _proxy.Cuts);
        Assert.False(await _backend.MarkSuccessAsync(lease, "2"u8.ToArray()));
        Assert.Equal("1"u8.ToArray(), (await _backend.GetResultAsync(lease.Id, TimeSpan.Zero))!.Value.ToArray());
    }

    [Fact]
    public async Task A_success_of_a_lost_lease_stays_refused_when_its_answer_is_lost()
    {
        var owner = await BeginAsync();
        await _backend.EnqueueAsync([Some]);
        var lease = (await TakeAsync(owner, TimeSpan.Zero))[0].Lease;
        await _backend.ReleaseAsync(lease);
        await TakeAsync(owner, TimeSpan.Zero);
        _proxy.CutAnswerTo("20, result");

        Assert.False(await _backend.MarkSuccessAsync(lease, "1"u8.ToArray()));
        Assert.Equal(1, _proxy.Cuts);
    }

    [Fact]
    public async Task A_success_of_a_task_that_ended_otherwise_stays_refused_when_its_answer_is_lost()
    {
        var owner = await BeginAsync();
        await _backend.EnqueueAsync([Some]);
        var lease = (await TakeAsync(owner, TimeSpan.Zero))[0].Lease;
        // As whoever sweeps a lost worker's tasks does, under the same owner and epoch.
        Assert.True(await _backend.SettleAsync(lease, new Settlement.Cancelled()));
        _proxy.CutAnswerTo("20, result");

        Assert.False(await _backend.MarkSuccessAsync(lease, "1"u8.ToArray()));
        Assert.Equal(1, _proxy.Cuts);
        Assert.Equal(TaskState.Cancelled, (await _backend.GetResultAsync(lease.Id, TimeSpan.Zero))!.State);
    }

    [Fact]
    public async Task A_retry_that_lost_its_answer_counts_once()
    {
        var owner = await BeginAsync();
        await _backend.EnqueueAsync([Some]);
        var lease = (await TakeAsync(owner, TimeSpan.Zero))[0].Lease;
        _proxy.CutAnswerTo("now + s.delay");

        Assert.True(await _backend.MarkFailureAsync(lease, "no", TimeSpan.FromMinutes(5)));

        Assert.Equal(1, _proxy.Cuts);
        Assert.Equal(1, await AskAsync("select attempt from errand.errand_tasks where state = 11"));
    }

    [Fact]
    public async Task Tasks_of_a_reserve_that_lost_its_answer_are_given_back_and_reserved_again()
    {
        var owner = await BeginAsync();
        await _backend.EnqueueAsync([Some, Some, Some]);
        _proxy.CutAnswerTo("returning t.id, t.name, t.due, t.epoch");

        var taken = await TakeAsync(owner, TimeSpan.FromSeconds(10));

        Assert.Equal(1, _proxy.Cuts);
        Assert.Equal(3, taken.Count);
        Assert.All(taken, task => Assert.Equal((1, 2L), (task.Attempt, task.Lease.Epoch)));
        Assert.True(await _backend.MarkSuccessAsync(taken[0].Lease, default));
    }

    [Fact]
    public async Task A_task_handed_to_a_worker_by_an_enqueue_that_lost_its_answer_is_run_once()
    {
        var owner = await BeginAsync();
        var waiting = TakeAsync(owner, TimeSpan.FromSeconds(10)).AsTask();
        await _backend.InitializeAsync();
        _proxy.CutAnswerTo("insert into");

        await _backend.EnqueueAsync([Some]);

        var task = Assert.Single(await waiting);
        Assert.Equal(1, task.Attempt);
        Assert.True(await _backend.MarkSuccessAsync(task.Lease, default));
        Assert.Equal(0L, await AskAsync("select count(*) from errand.errand_tasks"));
        Assert.Equal(1, _proxy.Cuts);
    }
}
