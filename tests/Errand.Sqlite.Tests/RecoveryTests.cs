using System.Globalization;
using Errand.TestKit;

namespace Errand.Sqlite.Tests;

/// <summary>Real processes on one file, killed and started again.</summary>
public sealed class RecoveryTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task I_can_kill_a_process_and_its_task_goes_on_in_the_next_although_its_lease_is_long()
    {
        var path = _folder.File("tasks.db");
        TaskId id;
        await using (var backend = new SqliteBackend(path))
        {
            await using var queue = new TaskQueue(backend);
            id = (await queue.EnqueueAsync(new Hang(), null, Token)).Id;
        }

        await using var first = DummyProcess.Start("work", path);
        await first.PrintsAsync(line => line == $"hang {id} 1 1", "that the task has started");
        await first.KillAsync();

        await using var second = DummyProcess.Start("work", path);
        await second.PrintsAsync(line => line == $"hang {id} 2 2", "that the task goes on: attempt 2, epoch 2");
    }

    [Theory]
    [InlineData("before complete", 2)]
    [InlineData("before commit", 2)]
    [InlineData("after commit", 1)]
    public async Task A_process_that_dies_around_the_transaction_that_completes_its_task_leaves_exactly_one_effect(string point, int attempts)
    {
        var path = _folder.File("tasks.db");
        await using var backend = new SqliteBackend(path);
        await using var queue = new TaskQueue(backend);
        await queue.InitializeAsync(Token);
        FileTests.Execute(path, "create table effects (task integer)");
        var handle = await queue.EnqueueAsync(new Effect(point), null, Token);
        await using (var first = DummyProcess.Start("work", path))
        {
            await first.PrintsAsync(line => line == $"effect {handle.Id} 1 1", "that the task has started");
            await first.ExitAsync();
        }

        await using var second = DummyProcess.Start("work", path);
        Assert.Equal(7, await handle.WaitAsync(Eventually.Bound, Token));
        Assert.Equal(attempts, (await queue.GetResultAsync(handle.Id, cancellationToken: Token))!.Attempts);
        Assert.Equal(1L, FileTests.Scalar(path, "select count(*) from effects"));
    }

    [Fact]
    public async Task I_can_kill_a_process_while_another_runs_and_the_other_takes_over()
    {
        var path = _folder.File("tasks.db");
        await using var first = DummyProcess.Start("work", path);
        await first.PrintsAsync(line => line == "ready", "ready");
        await using var backend = new SqliteBackend(path);
        await using var queue = new TaskQueue(backend);
        var handle = await queue.EnqueueAsync(new Hang(), null, Token);
        await first.PrintsAsync(line => line == $"hang {handle.Id} 1 1", "that the task has started");
        await using var second = DummyProcess.Start("work", path);
        await second.PrintsAsync(line => line == "ready", "ready");

        await first.KillAsync();

        await second.PrintsAsync(line => line == $"hang {handle.Id} 2 2", "that the task goes on");
    }

    [Fact]
    public async Task A_task_that_kills_its_process_each_time_ends_failed_after_its_attempts()
    {
        var path = _folder.File("tasks.db");
        await using var backend = new SqliteBackend(path);
        await using var queue = new TaskQueue(backend);
        var options = new EnqueueOptions { Retry = new RetryPolicy { MaxAttempts = 3 } };
        var poison = await queue.EnqueueAsync(new Die(), options, Token);
        for (var attempt = 1; attempt <= 3; attempt++)
        {
            await using var victim = DummyProcess.Start("work", path);
            await victim.PrintsAsync(line => line == $"die {poison.Id} {attempt} {attempt}", $"attempt {attempt}");
            await victim.ExitAsync();
        }

        var harmless = await queue.EnqueueAsync(new Note(7), null, Token);
        await using var last = DummyProcess.Start("work", path);

        Assert.Equal(7, await harmless.WaitAsync(Eventually.Bound, Token));
        var failed = await Assert.ThrowsAsync<TaskFailedException>(() => poison.WaitAsync(Eventually.Bound, Token));
        Assert.Equal((TaskState.Failed, 3), (failed.Result.State, failed.Result.Attempts));
        Assert.Contains("The worker's process ended", failed.Message, StringComparison.Ordinal);
        Assert.DoesNotContain(last.Lines, line => line.StartsWith("die", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_lock_file_that_a_kill_left_behind_is_taken_away_by_the_next_worker_and_a_live_one_stays()
    {
        var path = _folder.File("tasks.db");
        await using var live = DummyProcess.Start("work", path);
        await live.PrintsAsync(line => line == "ready", "ready");
        var held = Assert.Single(Directory.GetFiles(_folder.Path, "tasks.db-worker-*"), file => !file.EndsWith(".wake", StringComparison.Ordinal));
        await File.WriteAllTextAsync(path + "-worker-123abc", "", Token);
        await File.WriteAllTextAsync(path + "-worker-of-the-month", "", Token);

        await using var next = DummyProcess.Start("work", path);
        await next.PrintsAsync(line => line == "ready", "ready");

        var left = Directory.GetFiles(_folder.Path, "tasks.db-worker-*");
        Assert.Contains(held, left);
        Assert.Contains(path + "-worker-of-the-month", left);
        Assert.DoesNotContain(path + "-worker-123abc", left);
    }

    [Fact]
    public async Task I_can_kill_a_producer_and_every_task_that_it_was_told_of_is_there()
    {
        var path = _folder.File("tasks.db");
        await using var producer = DummyProcess.Start("enqueue", path, "1000000");
        await producer.PrintsAsync(_ => producer.Lines.Count > 200, "two hundred ids");
        await producer.KillAsync();
        var acknowledged = producer.Lines.Select(TaskId.Parse).ToArray();

        await using var backend = new SqliteBackend(path);
        var owner = await backend.BeginWorkerAsync(
            new WorkerRegistration { Lease = TimeSpan.FromMinutes(1), TaskNames = ["note"] }, Token);
        var present = await backend.ReserveAsync(new ReserveRequest { Owner = owner, MaxTasks = 2_000_000 }, Token);

        var ids = present.Select(task => task.Lease.Id).ToHashSet();
        Assert.All(acknowledged, id => Assert.Contains(id, ids));
        Assert.InRange(ids.Count - acknowledged.Length, 0, 1); // At most the one that was being told.
    }

    [Fact]
    public async Task A_file_keeps_its_data_across_backends_and_processes()
    {
        var path = _folder.File("tasks.db");
        await using var producer = DummyProcess.Start("enqueue", path, "20");
        await producer.ExitAsync();
        Assert.Equal(0, producer.ExitCode);
        var ids = producer.Lines.Select(TaskId.Parse).ToArray();
        Assert.Equal(20, ids.Length);

        await using (var first = new SqliteBackend(path))
        {
            await using var worker = new TaskWorker(first, new TaskHandlers().Add<Note, int>((note, _) => note.Number * 2));
            await using var queue = new TaskQueue(first);
            await worker.StartAsync(Token);
            Assert.Equal(TaskState.Succeeded, (await queue.GetResultAsync(ids[0], Eventually.Bound, Token))?.State);
            foreach (var id in ids)
            {
                await queue.GetResultAsync(id, Eventually.Bound, Token);
            }
        }

        await using var second = new SqliteBackend(path);
        await using var again = new TaskQueue(second);
        for (var i = 0; i < ids.Length; i++)
        {
            var result = await again.GetResultAsync(ids[i], cancellationToken: Token);
            Assert.Equal(i * 2, result!.GetValue<int>());
        }

        Assert.Empty(Directory.GetFiles(_folder.Path, "*-worker-*"));
    }
}
