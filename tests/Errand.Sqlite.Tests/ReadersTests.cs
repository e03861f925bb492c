using Errand.Storage;
using Errand.TestKit;
using Microsoft.Data.Sqlite;

namespace Errand.Sqlite.Tests;

/// <summary>Reads of a file go to connections of their own: they wait neither for the writer nor for a stranger who holds the file.</summary>
public sealed class ReadersTests : IDisposable
{
    /// <summary>Far more than a read takes, and far less than the file is held.</summary>
    private static readonly TimeSpan Soon = TimeSpan.FromSeconds(10);

    private readonly TemporaryFolder _folder = new();

    private string FilePath => System.IO.Path.Combine(_folder.Path, "tasks.db");

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public void Dispose() => _folder.Dispose();

    private SqliteConnection Holder()
    {
        var connection = new SqliteConnection($"Data Source={FilePath};Pooling=False");
        connection.Open();
        using var command = connection.CreateCommand();
        command.CommandText = "begin immediate";
        command.ExecuteNonQuery();
        return connection;
    }

    private SqliteBackend Backend() => new(FilePath, new SqliteBackendOptions { BusyTimeout = TimeSpan.FromMinutes(1) });

    private static NewTask NewTask() => new() { Name = "a", Payload = "{}"u8.ToArray() };

    [Fact]
    public async Task Results_and_inspection_answer_while_a_stranger_holds_the_file()
    {
        await using var backend = Backend();
        var owner = await backend.BeginWorkerAsync(new() { Lease = TimeSpan.FromMinutes(5), TaskNames = ["a"] }, Token);
        var ids = (await backend.EnqueueAsync([NewTask(), NewTask()], Token)).Select(one => one.Id).ToArray();
        var task = Assert.Single(await backend.ReserveAsync(new ReserveRequest { Owner = owner, MaxTasks = 1 }, Token));
        await backend.MarkSuccessAsync(task.Lease, "7"u8.ToArray(), Token);

        Task<IReadOnlyList<EnqueuedTask>> enqueuing;
        using (Holder())
        {
            enqueuing = backend.EnqueueAsync([NewTask()], Token).AsTask();
            await Task.Delay(50, Token); // The writer waits for the file by now, or soon: both are read beside.
            var result = await backend.GetResultAsync(ids[0], TimeSpan.Zero, Token).AsTask().WaitAsync(Soon, Token);
            Assert.Equal("7"u8.ToArray(), result!.Value.ToArray());
            Assert.Null(await backend.GetResultAsync(ids[1], TimeSpan.Zero, Token).AsTask().WaitAsync(Soon, Token));
            await Assert.ThrowsAsync<TaskNotFoundException>(
                () => backend.GetResultAsync(new TaskId(77), TimeSpan.Zero, Token).AsTask().WaitAsync(Soon, Token));
            Assert.Equal(1, (await backend.GetOverviewAsync(Token).AsTask().WaitAsync(Soon, Token)).Count(TaskState.Succeeded));
            Assert.NotNull(await backend.GetOldestWaitingAsync(Token).AsTask().WaitAsync(Soon, Token));
            Assert.Equal(2, (await backend.ListAsync(cancellationToken: Token).AsTask().WaitAsync(Soon, Token)).Tasks.Count);
            Assert.NotNull(await backend.FindAsync(ids[0], Token).AsTask().WaitAsync(Soon, Token));
            Assert.Equal(TaskState.Pending, (await backend.ExplainAsync(ids[1], Token).AsTask().WaitAsync(Soon, Token)).State);
            Assert.True(Assert.Single(await backend.ListWorkersAsync(Token).AsTask().WaitAsync(Soon, Token)).IsLive);
            Assert.False(enqueuing.IsCompleted);
        }

        Assert.True(Assert.Single(await enqueuing).IsNew);
    }

    [Fact]
    public async Task A_wait_for_a_task_that_has_ended_answers_while_the_writer_waits_for_the_file()
    {
        await using var backend = Backend();
        var owner = await backend.BeginWorkerAsync(new() { Lease = TimeSpan.FromMinutes(5), TaskNames = ["a"] }, Token);
        var id = (await backend.EnqueueAsync([NewTask()], Token))[0].Id;
        var task = Assert.Single(await backend.ReserveAsync(new ReserveRequest { Owner = owner, MaxTasks = 1 }, Token));
        await backend.MarkSuccessAsync(task.Lease, default, Token);
        using (Holder())
        {
            _ = backend.EnqueueAsync([NewTask()], Token).AsTask();
            await Task.Delay(200, Token); // So that the writer has met who holds the file.
            Assert.NotNull(await backend.GetResultAsync(id, TimeSpan.FromMinutes(1), Token).AsTask().WaitAsync(Soon, Token));
        }
    }

    [Fact]
    public async Task A_caller_reads_what_it_has_written()
    {
        await using var backend = Backend();
        for (var i = 0; i < 200; i++)
        {
            var id = (await backend.EnqueueAsync([NewTask()], Token))[0].Id;
            Assert.Null(await backend.GetResultAsync(id, TimeSpan.Zero, Token));
            Assert.Equal(CancelOutcome.Cancelled, await backend.CancelAsync(id, Token));
            Assert.Equal(TaskState.Cancelled, (await backend.GetResultAsync(id, TimeSpan.Zero, Token))!.State);
        }
    }

    [Fact]
    public async Task Many_read_at_once_and_a_disposed_backend_refuses_and_leaves_no_file_open()
    {
        var backend = Backend();
        var id = (await backend.EnqueueAsync([NewTask()], Token))[0].Id;
        await Task.WhenAll(Enumerable.Range(0, 50).Select(async i =>
            Assert.NotNull(i % 2 == 0 ? await backend.FindAsync(id, Token) : (object)await backend.GetOverviewAsync(Token))));
        var last = Enumerable.Range(0, 20).Select(_ => backend.GetOverviewAsync(Token).AsTask()).ToArray();
        await backend.DisposeAsync();

        await Assert.ThrowsAsync<ObjectDisposedException>(() => backend.GetOverviewAsync(Token).AsTask());
        await Assert.ThrowsAsync<ObjectDisposedException>(() => backend.GetResultAsync(id, TimeSpan.Zero, Token).AsTask());
        foreach (var read in last)
        {
            try
            {
                await read.WaitAsync(Eventually.Bound, Token);
            }
            catch (ObjectDisposedException)
            {
                // It came too late.
            }
        }

        Assert.False(File.Exists(FilePath + "-wal")); // The last connection has closed it.
    }

    [Fact]
    public async Task A_read_is_the_first_use_of_a_backend()
    {
        await using var backend = Backend();
        Assert.Empty((await backend.GetOverviewAsync(Token)).Counts);
        await using var another = Backend();
        await Assert.ThrowsAsync<TaskNotFoundException>(() => another.GetResultAsync(new TaskId(1), TimeSpan.Zero, Token).AsTask());
    }

    [Fact]
    public async Task Counts_end_at_their_limit_and_say_so()
    {
        await using var backend = Backend();
        await backend.EnqueueAsync([.. Enumerable.Range(0, 10_500).Select(_ => NewTask())], Token);
        await backend.EnqueueAsync([.. Enumerable.Range(0, 10_500).Select(_ => NewTask() with { Delay = TimeSpan.FromHours(1) })], Token);
        await backend.EnqueueAsync([NewTask() with { Queue = "small" }], Token);

        var counts = (await backend.GetOverviewAsync(Token)).Counts;

        Assert.Equal(
            [("default", TaskState.Pending, 10_000, true), ("default", TaskState.Scheduled, 10_000, true), ("small", TaskState.Pending, 1, false)],
            counts.Select(count => (count.Queue, count.State, count.Tasks, count.IsAtLeast)));
    }
}
