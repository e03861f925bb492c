using Errand.PostgreSql.Data;
using Errand.TestKit;

namespace Errand.PostgreSql.Tests;

/// <summary>A newer Errand upgrades the schema while an older one works: the older finishes what it runs, and no more.</summary>
public sealed class UpgradeTests(PostgresServer server)
{
    private const int Upgraded = 412; // A log id.

    private static readonly NewTask Some = new() { Name = "a", Payload = "{}"u8.ToArray() };

    private readonly PostgresBackendOptions _options = new() { Schema = PostgresServer.NewSchema() };

    [TaskName("until-file")]
    internal sealed record UntilFile(string Path) : ITask<int>;

    [TaskName("note")]
    internal sealed record Note(int Number) : ITask<int>;

    private PostgresBackend Older(RecordingLogger<PostgresBackend>? log = null) => new(server.ConnectionString(), _options, log);

    /// <summary>An engine that knows one step more.</summary>
    private PostgresBackend Newer(int reader, int writer) => new(server.ConnectionString(), _options with
    {
        Migrations = [.. Migration.All, new Migration("alter table errand.errand_tasks add column made_up integer", reader, writer)],
    });

    private Task<object?> AskAsync(string sql) => PostgresServer.ExecuteAsync(
        server.ConnectionString(), sql.Replace("errand.", _options.Schema + ".", StringComparison.Ordinal));

    private static ValueTask<WorkerId> BeginAsync(PostgresBackend backend) =>
        backend.BeginWorkerAsync(new WorkerRegistration { Lease = TimeSpan.FromSeconds(30), TaskNames = ["a"] });

    private static ValueTask<IReadOnlyList<ReservedTask>> TakeAsync(PostgresBackend backend, WorkerId owner, TimeSpan wait) =>
        backend.ReserveAsync(new ReserveRequest { Owner = owner, MaxTasks = 1, Wait = wait });

    /// <summary>An older engine looks at the schema once a second at most.</summary>
    private static async Task NoticesAsync(PostgresBackend older) => await Eventually.TrueAsync(
        async () =>
        {
            try
            {
                await older.NewIdAsync();
                return false;
            }
            catch (SchemaTooNewException)
            {
                return true;
            }
        },
        "the older engine notices the upgrade");

    [Fact]
    public async Task An_older_engine_that_runs_finishes_its_tasks_and_takes_no_new_ones()
    {
        var log = new RecordingLogger<PostgresBackend>();
        await using var older = Older(log);
        var owner = await BeginAsync(older);
        await older.EnqueueAsync([Some, Some, Some]);
        var first = Assert.Single(await TakeAsync(older, owner, TimeSpan.Zero)).Lease;
        var second = Assert.Single(await TakeAsync(older, owner, TimeSpan.Zero)).Lease;
        await using var newer = Newer(reader: 1, writer: 1);
        await newer.InitializeAsync();

        await NoticesAsync(older);

        await Assert.ThrowsAsync<SchemaTooNewException>(async () => await older.EnqueueAsync([Some]));
        await Assert.ThrowsAsync<SchemaTooNewException>(async () => await BeginAsync(older));
        Assert.Empty(await TakeAsync(older, owner, TimeSpan.FromMilliseconds(200)));
        Assert.True(older.Heartbeat(owner));
        Assert.True(await older.ReportProgressAsync(first, 0.5, null));
        Assert.True(await older.SaveCheckpointAsync(first, "{}"u8.ToArray()));
        Assert.True(await older.MarkSuccessAsync(first, default));
        Assert.True(await older.ReleaseAsync(second));
        Assert.Equal(TaskState.Succeeded, (await older.GetResultAsync(first.Id, TimeSpan.Zero))!.State);
        Assert.NotNull(await older.FindAsync(second.Id));
        await older.EndWorkerAsync(owner, release: true);
        Assert.Equal(1, log.Entries.Count(entry => entry.Id == Upgraded));

        var heir = await BeginAsync(newer);
        Assert.Equal(second.Id, Assert.Single(await TakeAsync(newer, heir, TimeSpan.Zero)).Lease.Id);
        Assert.Equal(2, await AskAsync("select version from errand.errand_meta"));
    }

    [Fact]
    public async Task An_older_engine_that_connects_again_finishes_its_tasks()
    {
        await using var older = Older();
        var owner = await BeginAsync(older);
        await older.EnqueueAsync([Some]);
        var lease = Assert.Single(await TakeAsync(older, owner, TimeSpan.Zero)).Lease;
        await using var newer = Newer(reader: 1, writer: 1);
        await newer.InitializeAsync();
        await AskAsync($"""
            select count(pg_terminate_backend(pid))
            from   pg_stat_activity
            where  application_name like '% turns' and query like '%{_options.Schema}%'
            """);

        await NoticesAsync(older);

        Assert.True(await older.MarkSuccessAsync(lease, default));
    }

    [Fact]
    public async Task An_older_engine_that_may_not_write_any_more_changes_nothing_and_reads()
    {
        await using var older = Older();
        var owner = await BeginAsync(older);
        await older.EnqueueAsync([Some]);
        var lease = Assert.Single(await TakeAsync(older, owner, TimeSpan.Zero)).Lease;
        await using var newer = Newer(reader: 1, writer: 2);
        await newer.InitializeAsync();

        await NoticesAsync(older);

        await Assert.ThrowsAsync<SchemaTooNewException>(async () => await older.MarkSuccessAsync(lease, default));
        await Assert.ThrowsAsync<SchemaTooNewException>(async () => await TakeAsync(older, owner, TimeSpan.FromMinutes(1)));
        Assert.Null(await older.GetResultAsync(lease.Id, TimeSpan.Zero));
    }

    [Fact]
    public async Task An_older_engine_that_may_not_read_any_more_is_told_so()
    {
        await using var older = Older();
        var id = Assert.Single(await older.EnqueueAsync([Some])).Id;
        await using var newer = Newer(reader: 2, writer: 2);
        await newer.InitializeAsync();

        await NoticesAsync(older);

        await Assert.ThrowsAsync<SchemaTooNewException>(async () => await older.GetResultAsync(id, TimeSpan.Zero));
    }

    [Fact]
    public async Task An_older_engine_that_comes_later_is_refused()
    {
        await using (var newer = Newer(reader: 1, writer: 1))
        {
            await newer.InitializeAsync();
        }

        await using var older = Older();

        await Assert.ThrowsAsync<SchemaTooNewException>(async () => await older.InitializeAsync());
        await Assert.ThrowsAsync<SchemaTooNewException>(async () => await older.EnqueueAsync([Some]));
    }

    [Fact]
    public async Task An_older_process_finishes_its_task_and_a_newer_one_runs_the_rest()
    {
        var file = Path.Combine(Path.GetTempPath(), Path.GetRandomFileName());
        await using var older = Older();
        await using var queue = new TaskQueue(older);
        await queue.InitializeAsync();
        await using var process = DummyProcess.Start("work", $"{_options.Schema}@{server.ConnectionString()}", "30000");
        await process.PrintsAsync(line => line == "ready", "ready");
        var running = await queue.EnqueueAsync(new UntilFile(file));
        await process.PrintsAsync(line => line == $"until {running.Id} 1 1", "that the task has started");
        await using var newer = Newer(reader: 1, writer: 1);
        await using var newerQueue = new TaskQueue(newer);

        // It is due when the older process has had more than the second in which it notices the upgrade.
        var waiting = await newerQueue.EnqueueAsync(new Note(7), new EnqueueOptions { Delay = TimeSpan.FromSeconds(3) });
        await NoticesAsync(older);
        await using var worker = new TaskWorker(newer, new TaskHandlers().Add<Note, int>((note, _) => note.Number));
        await worker.StartAsync();
        Assert.Equal(7, await waiting.WaitAsync(Eventually.Bound));
        await File.WriteAllTextAsync(file, "");

        Assert.Equal(1, await running.WaitAsync(Eventually.Bound));
        Assert.DoesNotContain(process.Lines, line => line.StartsWith("note", StringComparison.Ordinal));
        File.Delete(file);
    }
}
