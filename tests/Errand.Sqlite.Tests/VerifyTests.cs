using System.Globalization;
using Errand.TestKit;

namespace Errand.Sqlite.Tests;

/// <summary>Each thing that must be true of a database is broken by hand, and named.</summary>
public sealed class VerifyTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public void Dispose() => _folder.Dispose();

    /// <summary>
    /// Tasks 1 to 9: two that wait, one of them with a unique key; one that is due later; one that failed once and waits; one that
    /// runs and has said how far it is; and one in each final state.
    /// </summary>
    private static async Task FillAsync(SqliteBackend backend, ManualTimeProvider clock)
    {
        var task = new NewTask { Name = "note", Payload = new byte[10] };
        await backend.EnqueueAsync(
            [
                task with { Priority = -1 }, task with { UniqueKey = "one", UniqueFor = TimeSpan.FromDays(1), Priority = -1 },
                task with { Delay = TimeSpan.FromDays(1) }, task, task, task, task, task,
                task with { Delay = TimeSpan.FromHours(1), ExpiresAt = clock.GetUtcNow() + TimeSpan.FromSeconds(1) },
            ],
            Token);
        await backend.PauseAsync("mail", Token);
        var owner = await backend.BeginWorkerAsync(
            new WorkerRegistration { Lease = TimeSpan.FromDays(1), TaskNames = ["note"] }, Token);
        var leases = (await backend.ReserveAsync(new ReserveRequest { Owner = owner, MaxTasks = 5, Wait = TimeSpan.Zero }, Token))
            .Select(one => one.Lease).ToArray();
        Assert.Equal([4, 5, 6, 7, 8], leases.Select(lease => lease.Id.Value));
        await backend.MarkFailureAsync(leases[0], "no", TimeSpan.FromDays(1), Token);
        await backend.ReportProgressAsync(leases[1], 0.5, "half", Token);
        await backend.SaveLogAsync(leases[1], "begun\n", Token);
        await backend.MarkSuccessAsync(leases[2], "1"u8.ToArray(), Token);
        await backend.MarkFailureAsync(leases[3], "no", null, Token);
        await backend.CancelAsync(new TaskId(8), Token);
        await backend.MarkCancelledAsync(leases[4], null, Token);
        clock.Advance(TimeSpan.FromSeconds(2));
        await backend.InitializeAsync(Token);
    }

    private async Task<string> MakeAsync()
    {
        var path = _folder.File("tasks.db");
        var clock = new ManualTimeProvider();
        await using var backend = new SqliteBackend(path, new SqliteBackendOptions { TimeProvider = clock });
        await FillAsync(backend, clock);
        return path;
    }

    private static async Task<IReadOnlyList<string>> ProblemsAsync(string path)
    {
        await using var backend = new SqliteBackend(path);
        var verification = await backend.VerifyAsync(Token);
        Assert.Equal(verification.Problems.Count == 0, verification.IsSound);
        return verification.Problems;
    }

    [Fact]
    public async Task A_database_with_tasks_in_every_state_is_sound()
    {
        Assert.Empty(await ProblemsAsync(await MakeAsync()));

        var clock = new ManualTimeProvider();
        await using var memory = new SqliteBackend(":memory:", new SqliteBackendOptions { TimeProvider = clock });
        await FillAsync(memory, clock);
        Assert.Empty((await memory.VerifyAsync(Token)).Problems);
    }

    [Theory]
    [InlineData("insert into errand_finished select 1, 20, queue, name, 0, 0, 0, 0, 0, 0, 0, null, null, null, null, null, null, null, null, null from errand_tasks where id = 1",
        "Task 1 is both live and finished.")]
    [InlineData("delete from errand_counters", "There are 0 counters of ids instead of one.")]
    [InlineData("insert into errand_counters values (99999999, 0)", "There are 2 counters of ids instead of one.")]
    [InlineData("update errand_counters set next_id = 1 << 60", "The next id is 1152921504606846976, which is none.")]
    [InlineData("update errand_counters set next_id = 9", "Task 9 has an id that was never given out; the next is 9.")]
    [InlineData("update errand_tasks set id = -7 where id = 1; update errand_counters set next_id = 100", "Task -7 has an id that was never given out; the next is 100.")]
    [InlineData("update errand_tasks set state = 99 where id = 1", "Task 1 lives in the state 99, which is none of those.")]
    [InlineData("update errand_finished set state = 12 where id = 8", "Task 8 has ended in the state 12, which is none of those.")]
    [InlineData("update errand_tasks set owner = 5 where id = 5", "Task 5 runs on 5, which is no worker: it would never come back.")]
    [InlineData("update errand_tasks set state = 12, attempt = 1, epoch = 1 where id = 1",
        "Task 1 runs on 1099511627776, which is no worker: it would never come back.")]
    [InlineData("update errand_tasks set owner = 5 where id = 3", "Task 3 waits, and yet belongs to 5.")]
    [InlineData("update errand_tasks set attempt = 0 where id = 5", "Task 5 runs, and yet has had no attempt.")]
    [InlineData("update errand_tasks set attempt = 6, epoch = 6 where id = 4", "Task 4 has had 6 attempts of 5.")]
    [InlineData("update errand_tasks set attempt = -1 where id = 1", "Task 1 has had -1 attempts of 5.")]
    [InlineData("update errand_finished set max_attempts = 0 where id = 7", "Task 7 has had 1 attempts of 0.")]
    [InlineData("update errand_tasks set attempt = 2 where id = 5", "Task 5 has had 2 attempts, but only 1 starts.")]
    [InlineData("update errand_finished set epoch = 0 where id = 6", "Task 6 has had 1 attempts, but only 0 starts.")]
    [InlineData("update errand_tasks set cancelled = 1 where id = 3", "Task 3 is to be cancelled, but does not run.")]
    [InlineData("update errand_tasks set parked = 1 where id = 1", "Task 1 is parked (1), but not scheduled.")]
    [InlineData("update errand_tasks set parked = 7 where id = 3", "Task 3 is parked (7), but not scheduled.")]
    [InlineData("update errand_finished set payload = null where id = 7", "Task 7 failed, but has no payload to be retried with.")]
    [InlineData("update errand_finished set result = x'31' where id = 8", "Task 8 has a result, but did not succeed.")]
    [InlineData("update errand_tasks set timeout = 0 where id = 1", "Task 1 has a timeout of 0 ms.")]
    [InlineData("update errand_tasks set queue = 77 where id = 1", "Task 1 has the name or queue 77, which is not there.")]
    [InlineData("update errand_finished set name = 77 where id = 6", "Task 6 has the name or queue 77, which is not there.")]
    [InlineData("insert into errand_paused_queues values (77)", "A paused queue has the name 77, which is not there.")]
    [InlineData("update errand_unique_periods set name = 77", "A unique key has the name 77, which is not there.")]
    [InlineData("update errand_worker_names set name = 77", "A worker has the name 77, which is not there.")]
    [InlineData("delete from errand_tasks where id = 4", "Attempts are kept of task 4, which is gone.")]
    [InlineData("update errand_attempts set epoch = 2", "Task 4 has an attempt of start 2, but was started 1 times.")]
    [InlineData("update errand_logs set task = 77", "A log is kept of task 77, which is gone.")]
    [InlineData("update errand_progress set task = 77", "Progress is kept of task 77, which is gone.")]
    [InlineData("update errand_progress set fraction = 1.5", "Task 5 has a progress of 1.5.")]
    [InlineData("update errand_tasks set due = -1 where id = 1", "Task 1 has the time -1, which is not between the years 1970 and 9999.")]
    [InlineData("update errand_finished set finished = 1 << 60 where id = 7",
        "Task 7 has the time 1152921504606846976, which is not between the years 1970 and 9999.")]
    [InlineData("update errand_attempts set ended = -5", "Task 4 has the time -5, which is not between the years 1970 and 9999.")]
    [InlineData("update errand_tasks set retry = 'soon' where id = 1", "There is a retry policy 'soon' that cannot be read.")]
    [InlineData("drop index errand_tasks_ready", "The index errand_tasks_ready is missing.")]
    [InlineData("drop index errand_tasks_unique; create index errand_tasks_unique on errand_tasks (name)", "The index errand_tasks_unique is not as Errand makes it.")]
    [InlineData("drop table errand_progress", "The table errand_progress is missing.")]
    public async Task What_is_broken_is_named(string sql, string problem)
    {
        var path = await MakeAsync();
        FileTests.Execute(path, sql);
        Assert.Contains(problem, await ProblemsAsync(path));
    }

    [Fact]
    public async Task A_worker_that_cannot_be_is_named()
    {
        var path = await MakeAsync();
        FileTests.Execute(path, "update errand_workers set lease = 0");
        var id = FileTests.Scalar(path, "select id from errand_workers");
        Assert.StartsWith(
            string.Create(CultureInfo.InvariantCulture, $"Worker {id} has a lease of 0 ms, 0 heartbeats and began at "),
            Assert.Single(await ProblemsAsync(path)), StringComparison.Ordinal);

        FileTests.Execute(path, "update errand_workers set lease = 1; update errand_tasks set state = 10, owner = 1 << 40 where id = 5; delete from errand_workers");
        Assert.Equal([$"Names are known of worker {id}, which is gone."], await ProblemsAsync(path));
    }

    [Fact]
    public async Task A_unique_key_that_two_hold_is_named()
    {
        var path = await MakeAsync();
        FileTests.Execute(path, "drop index errand_tasks_unique; update errand_tasks set unique_key = 'one' where id = 3");
        Assert.Equal(
            ["The index errand_tasks_unique is missing.", "The unique key 'one' is held by 2 live tasks, one of them 2."],
            await ProblemsAsync(path));
    }

    [Fact]
    public async Task What_is_broken_many_times_is_named_twenty_times()
    {
        var path = _folder.File("tasks.db");
        await using (var backend = new SqliteBackend(path))
        {
            await backend.EnqueueAsync([.. Enumerable.Repeat(new NewTask { Name = "note", Payload = default }, 100)], Token);
        }

        FileTests.Execute(path, "update errand_tasks set state = 99");
        Assert.Equal(SqliteVerification.ProblemsOfOneKind, (await ProblemsAsync(path)).Count);
    }

    [Fact]
    public async Task Tables_of_somebody_elses_are_no_problem()
    {
        var path = await MakeAsync();
        FileTests.Execute(path, "create table notes (id integer primary key, text text); create index notes_text on notes (text)");
        Assert.Empty(await ProblemsAsync(path));
    }

    [Fact]
    public async Task A_verification_changes_nothing_and_leaves_no_file()
    {
        var path = await MakeAsync();
        var before = await File.ReadAllBytesAsync(path, Token);
        await ProblemsAsync(path);
        Assert.Equal(before, await File.ReadAllBytesAsync(path, Token));
    }

    [Fact]
    public async Task Nobody_waits_for_a_verification_and_it_can_be_given_up()
    {
        await using var backend = new SqliteBackend(_folder.File("tasks.db"));
        await backend.EnqueueAsync([.. Enumerable.Repeat(new NewTask { Name = "note", Payload = default }, 100)], Token);
        using var cancellation = new CancellationTokenSource();
        await cancellation.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => backend.VerifyAsync(cancellation.Token));

        using var other = FileTests.Open(backend.Path);
        using var transaction = other.BeginTransaction(deferred: false);

        Assert.Empty((await backend.VerifyAsync(Token)).Problems); // It takes no lock that a writer would hold.
    }

    [Fact]
    public async Task Whichever_page_is_damaged_is_told_and_not_thrown()
    {
        var path = _folder.File("tasks.db");
        await using (var backend = new SqliteBackend(path))
        {
            var task = new NewTask { Name = "note", Payload = new byte[300] };
            await backend.EnqueueAsync([.. Enumerable.Repeat(task, 300)], Token);
        }

        var sound = await File.ReadAllBytesAsync(path, Token);
        var pages = sound.Length / 4_096;
        Assert.InRange(pages, 20, 200);
        for (var page = 1; page < pages; page++)
        {
            var damaged = (byte[])sound.Clone();
            damaged.AsSpan(page * 4_096, 4_096).Fill(0xAB);
            await File.WriteAllBytesAsync(path, damaged, Token);

            Assert.NotEmpty(await ProblemsAsync(path));
        }

        Array.Fill(sound, (byte)0xAB, 100, 500); // Of the first page, all behind the header.
        await File.WriteAllBytesAsync(path, sound, Token);
        Assert.NotEmpty(await ProblemsAsync(path));
    }

    [Fact]
    public async Task What_is_no_database_of_ours_is_refused()
    {
        var path = _folder.File("letter.db");
        await File.WriteAllTextAsync(path, new string('x', 10_000), Token);
        await Assert.ThrowsAsync<NotAnErrandDatabaseException>(() => ProblemsAsync(path));

        var missing = await Assert.ThrowsAsync<BackendException>(() => ProblemsAsync(_folder.File("missing.db")));
        Assert.Contains("does not exist; there is nothing to read.", missing.Message, StringComparison.Ordinal);
        Assert.Single(Directory.GetFiles(_folder.Path));
    }

    [Fact]
    public async Task A_store_that_is_disposed_cannot_be_verified()
    {
        var backend = new SqliteBackend(":memory:");
        await backend.DisposeAsync();
        await Assert.ThrowsAsync<ObjectDisposedException>(() => backend.VerifyAsync(Token));
    }
}
