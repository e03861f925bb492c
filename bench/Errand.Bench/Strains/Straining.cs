using System.Data;
using System.Globalization;

namespace Errand.Bench.Strains;

/// <summary>
/// What a caller is to suffer beside. Each puts the store under its strain, and keeps it so until it is disposed of by
/// the token.
/// </summary>
internal static class Straining
{
    private const int Chunk = 1_000;

    private static readonly TimeSpan AnHour = TimeSpan.FromHours(1);

    internal static Task NothingAsync(StrainPlace place, OpenStore store, CancellationToken stop) => Task.CompletedTask;

    /// <summary>Ready tasks, before the caller's own, whose names no worker knows.</summary>
    internal static Task UnknownNamesAsync(OpenStore store, int tasks) =>
        FillAsync(store.Backend, tasks, i => string.Create(CultureInfo.InvariantCulture, $"unknown-{i % 100}"), _ => Defaults.Queue);

    /// <summary>Ready tasks, before the caller's own, whose name only another worker knows, which is busy.</summary>
    internal static async Task NamesOfOthersAsync(OpenStore store, int tasks)
    {
        await BeginOtherAsync(store.Backend);
        await FillAsync(store.Backend, tasks, _ => "other", _ => Defaults.Queue);
    }

    /// <summary>Queues under one pattern, each with a ready task of another worker's.</summary>
    internal static async Task QueuesAsync(OpenStore store, int queues)
    {
        await BeginOtherAsync(store.Backend);
        await FillAsync(store.Backend, queues, _ => "other", i => string.Create(CultureInfo.InvariantCulture, $"user-{i}"));
    }

    /// <summary>Callers that wait for results, while another process commits all the time.</summary>
    internal static async Task WaitersAsync(StrainPlace place, OpenStore store, int waiters, CancellationToken stop)
    {
        var handles = await store.Queue.EnqueueManyAsync(Note.Some(waiters), new EnqueueOptions { Delay = AnHour }, stop);
        foreach (var handle in handles)
        {
            _ = WaitAsync(handle.WaitAsync(AnHour, stop));
        }

        _ = WaitAsync(CommitAsync(place, stop));
    }

    /// <summary>Running tasks that are cancelled one after another, and do not stop.</summary>
    internal static async Task CancelsAsync(OpenStore store, int cancels, CancellationToken stop)
    {
        var worker = new TaskWorker(
            store.Backend,
            new TaskHandlers().Add<Hang>(async (_, _) => await Task.Delay(Timeout.Infinite, stop)),
            new TaskWorkerOptions { Queues = ["hang"], Concurrency = cancels });
        await worker.StartAsync(stop);
        var tasks = Enumerable.Range(0, cancels).Select(_ => new Hang());
        var handles = await store.Queue.EnqueueManyAsync(tasks, new EnqueueOptions { Queue = "hang" }, stop);
        _ = WaitAsync(CancelAsync());

        async Task CancelAsync()
        {
            try
            {
                foreach (var handle in handles)
                {
                    await store.Queue.CancelAsync(handle.Id, stop);
                }

                await Task.Delay(Timeout.Infinite, stop);
            }
            finally
            {
                await worker.DisposeAsync();
            }
        }
    }

    /// <summary>A stranger that keeps everybody from writing for 20 ms of every 100.</summary>
    internal static Task HoldAsync(StrainPlace place, CancellationToken stop)
    {
        _ = WaitAsync(Task.Run(
            async () =>
            {
                await using var connection = await place.ConnectAsync();
                while (!stop.IsCancellationRequested)
                {
                    await using (var transaction = await connection.BeginTransactionAsync(stop))
                    {
                        await using var command = connection.CreateCommand();
                        command.Transaction = transaction;
                        command.CommandText = place.HoldSql;
                        await command.ExecuteNonQueryAsync(stop);
                        await Task.Delay(20, stop);
                    }

                    await Task.Delay(80, stop);
                }
            },
            stop));
        return Task.CompletedTask;
    }

    /// <summary>Three readers of 40 ms without a gap, beside fifteen other callers, whose writes they keep in the log.</summary>
    internal static Task ReadersAsync(StrainPlace place, OpenStore store, CancellationToken stop)
    {
        for (var i = 0; i < 3; i++)
        {
            _ = WaitAsync(Task.Run(() => ReadAsync(place, stop), stop));
        }

        return CallersAsync(store, stop);
    }

    /// <summary>Fifteen other callers.</summary>
    internal static Task CallersAsync(OpenStore store, CancellationToken stop)
    {
        for (var i = 0; i < 15; i++)
        {
            _ = WaitAsync(Task.Run(
                async () =>
                {
                    while (!stop.IsCancellationRequested)
                    {
                        await store.Queue.EnqueueAsync(Note.At(0), null, stop);
                    }
                },
                stop));
        }

        return Task.CompletedTask;
    }

    private static async Task ReadAsync(StrainPlace place, CancellationToken stop)
    {
        await using var connection = await place.ConnectAsync();
        while (!stop.IsCancellationRequested)
        {
            await using var transaction = connection is Microsoft.Data.Sqlite.SqliteConnection sqlite
                ? sqlite.BeginTransaction(deferred: true)
                : await connection.BeginTransactionAsync(IsolationLevel.RepeatableRead, stop);
            await using var command = connection.CreateCommand();
            command.Transaction = transaction;
            command.CommandText = place.ReadSql;
            await command.ExecuteScalarAsync(stop);
            await Task.Delay(40, stop);
        }
    }

    private static async Task CommitAsync(StrainPlace place, CancellationToken stop)
    {
        await using var other = place.Open();
        while (!stop.IsCancellationRequested)
        {
            await other.Queue.EnqueueAsync(Note.At(0), new EnqueueOptions { Delay = AnHour }, stop);
            await Task.Delay(3, stop);
        }
    }

    private static async Task BeginOtherAsync(IBackend backend) => await backend.BeginWorkerAsync(new WorkerRegistration
    {
        Lease = AnHour, TaskNames = ["other"], Queues = ["*"], Concurrency = 1,
    });

    private static async Task FillAsync(IBackend backend, int tasks, Func<int, string> name, Func<int, string> queue)
    {
        foreach (var chunk in Enumerable.Range(0, tasks).Chunk(Chunk))
        {
            await backend.EnqueueAsync([.. chunk.Select(i => new NewTask { Name = name(i), Queue = queue(i), Payload = "{}"u8.ToArray() })]);
        }
    }

    private static async Task WaitAsync(Task strain)
    {
        try
        {
            await strain;
        }
        catch (Exception e) when (e is OperationCanceledException or ObjectDisposedException or BackendException)
        {
            // The measurement is over.
        }
    }

    [TaskName("hang")]
    private sealed record Hang : ITask;
}
