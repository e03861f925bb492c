using System.Data.Common;
using System.Globalization;
using System.Runtime.InteropServices;

namespace Errand.Torture;

/// <summary>A task of the torture: how long it takes, and how it ends.</summary>
[TaskName("work")]
internal sealed record Work(int Milliseconds, int Failures, bool HeedsToken, Effect Effect = Effect.None) : ITask<long>;

/// <summary>What the handler writes to the store's own database, in the transaction that completes its task.</summary>
internal enum Effect
{
    None,
    Committed,
    RolledBackAtFirst,
}

/// <summary>What each kind of process does until it is told to stop, or killed.</summary>
internal static class Roles
{
    internal static readonly TimeSpan Lease = TimeSpan.FromSeconds(1);
    internal static readonly TimeSpan Heartbeat = TimeSpan.FromMilliseconds(300);

    /// <summary>Many tasks have been left behind that take long.</summary>
    internal const int HealerSlots = 48;

    /// <summary>Enqueues, each task with an id had before; an outcome that is unknown is repeated.</summary>
    internal static async Task ProduceAsync(
        IBackend backend, History history, Random random, CancellationToken stop, bool withEffects = true, Action<long>? tried = null)
    {
        await using var queue = new TaskQueue(backend);
        while (!stop.IsCancellationRequested)
        {
            try
            {
                var id = await queue.NewIdAsync(CancellationToken.None);
                var attempts = random.Next(3, 8);
                var options = new EnqueueOptions
                {
                    Id = id,
                    Priority = random.Next(3),
                    Delay = random.Next(3) == 0 ? TimeSpan.FromMilliseconds(random.Next(400)) : null,
                    Retry = new RetryPolicy { MaxAttempts = attempts, Delay = TimeSpan.FromMilliseconds(random.Next(30)) },
                };
                var work = NewWork(random, withEffects);
                history.Note(EventKind.Enqueue, id, value: work.Effect == Effect.None ? 0 : 1);
                tried?.Invoke(id);
                await queue.EnqueueAsync(work, options, CancellationToken.None);
                history.Note(EventKind.Enqueued, id, value: attempts);
                if (random.Next(10) == 0)
                {
                    await queue.EnqueueAsync(work, options, CancellationToken.None); // The second finds the first.
                }
            }
            catch (BackendException e) when (e.IsTransient)
            {
                // Unknown or refused: the task may exist or not. The next one is another.
            }

            await Task.Delay(random.Next(1, 8), CancellationToken.None);
        }
    }

    private static Work NewWork(Random random, bool withEffects)
    {
        var effect = withEffects && random.Next(4) == 0 ? (Effect)random.Next(1, 3) : Effect.None;
        var milliseconds = random.Next(40) switch { 0 => random.Next(500, 2_500), < 10 => random.Next(60), _ => random.Next(4) };
        return new Work(milliseconds, random.Next(6) == 0 ? random.Next(1, 4) : 0, random.Next(2) == 0, effect);
    }

    internal static async Task WorkAsync(
        IBackend backend, History history, CancellationToken stop, int slots = 6, Store? store = null, Crash? crash = null,
        Func<TimeSpan>? stall = null)
    {
        var options = new TaskWorkerOptions
        {
            Concurrency = slots, Lease = Lease, Heartbeat = Heartbeat, ShutdownGrace = TimeSpan.FromMilliseconds(200),
        };
        await using var worker = new TaskWorker(new RecordingBackend(backend, history, crash, stall), Handlers(history, store, crash), options);
        while (true)
        {
            try
            {
                await worker.StartAsync(CancellationToken.None);
                break;
            }
            catch (BackendException e) when (e.IsTransient)
            {
                // The vandal holds the file.
            }
        }

        await Task.Delay(Timeout.Infinite, stop).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await worker.StopAsync(CancellationToken.None);
    }

    private static TaskHandlers Handlers(History history, Store? store, Crash? crash) =>
        new TaskHandlers().Add<Work, long>(async (work, context) =>
        {
            var early = (long)(context.DueAt - TimeProvider.System.GetUtcNow()).TotalMilliseconds;
            history.Note(EventKind.Started, context.Id, context.Epoch, early);
            await Task.Delay(work.Milliseconds, work.HeedsToken ? context.CancellationToken : CancellationToken.None);
            if (context.Attempt <= work.Failures)
            {
                throw new InvalidOperationException("as told");
            }

            if (work.Effect != Effect.None)
            {
                await CompleteWithEffectAsync(work, context, store!, history, crash);
            }

            return context.Epoch;
        });

    private static async Task CompleteWithEffectAsync(Work work, TaskContext context, Store store, History history, Crash? crash)
    {
        await using var connection = await store.ConnectAsync();
        await using var transaction = await connection.BeginTransactionAsync(); // Throws while it is busy: the attempt has failed.
        await using var command = connection.CreateCommand();
        command.Transaction = transaction;
        command.CommandText = string.Create(CultureInfo.InvariantCulture, $"insert into effects values ({context.Id}, {context.Epoch})");
        await command.ExecuteNonQueryAsync();
        history.Note(EventKind.Settle, context.Id, context.Epoch, 1);
        try
        {
            await context.CompleteInAsync(transaction, context.Epoch);
        }
        catch (LeaseLostException)
        {
            history.Note(EventKind.Fenced, context.Id, context.Epoch, 1);
            throw;
        }

        crash?.At(CrashPoint.BeforeSettle);
        if (work.Effect == Effect.RolledBackAtFirst && context.Attempt == work.Failures + 1)
        {
            await transaction.RollbackAsync();
            throw new InvalidOperationException("as told, after all was written");
        }

        await transaction.CommitAsync();
        crash?.At(CrashPoint.AfterSettle);
        history.Note(EventKind.Settled, context.Id, context.Epoch, 1);
    }

    /// <summary>Does to the store what programs of other people do.</summary>
    internal static async Task VandalizeAsync(Store store, Random random, CancellationToken stop)
    {
        while (!stop.IsCancellationRequested)
        {
            try
            {
                await using var connection = await store.ConnectAsync();
                await store.VandalizeAsync(connection, random);
            }
            catch (DbException)
            {
                // Somebody else holds it.
            }

            await Task.Delay(random.Next(100, 500), CancellationToken.None);
        }
    }

    /// <summary>Runs one role as a process of its own: role, number, folder, store, seed, crash point or "none".</summary>
    internal static async Task RunAsync(string[] args)
    {
        using var stopping = new CancellationTokenSource();
        using var onTerminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, signal =>
        {
            signal.Cancel = true;
            stopping.Cancel();
        });
        var store = Store.Parse(args[3]);
        var random = new Random(int.Parse(args[4], CultureInfo.InvariantCulture));
        using var history = new History(args[2], args[0] + args[1]);
        CrashPoint? point = Enum.TryParse<CrashPoint>(args[5], out var named) ? named : null;
        var crash = new Crash(point, history, random);
        await using var backend = store.Open(crash);
        await (args[0] switch
        {
            "producer" => ProduceAsync(backend, history, random, stopping.Token),
            "worker" => WorkAsync(backend, history, stopping.Token, store: store, crash: crash),
            "healer" => WorkAsync(backend, history, stopping.Token, HealerSlots, store),
            "vandal" => VandalizeAsync(store, random, stopping.Token),
            _ => throw new ArgumentException($"There is no role '{args[0]}'."),
        });
    }
}
