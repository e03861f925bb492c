using System.Data.Common;
using System.Globalization;
using System.Runtime.InteropServices;

namespace Errand.Torture;

/// <summary>A task of the torture: how long it takes, and how it ends.</summary>
/// <param name="Milliseconds">How long each start takes.</param>
/// <param name="Failures">How many attempts fail, from the first on.</param>
/// <param name="HeedsToken">Whether it stops when its token is cancelled.</param>
/// <param name="Effect">What it writes when it succeeds.</param>
/// <param name="Snoozes">How many starts put it off, from the first on.</param>
/// <param name="Failing">How the attempts fail.</param>
[TaskName("work")]
internal sealed record Work(
    int Milliseconds, int Failures, bool HeedsToken, Effect Effect = Effect.None, int Snoozes = 0, Failing Failing = Failing.ByPolicy)
    : ITask<long>;

/// <summary>What a handler throws that fails.</summary>
internal enum Failing
{
    ByPolicy,
    AskingForMore,
    ForGood,
}

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

    /// <summary>The queues there are.</summary>
    internal static readonly string[] Queues = [Defaults.Queue, "urgent", "mail-in", "mail-out"];

    private static readonly QueueSubscription[] Subscriptions = [Defaults.Queue, new("urgent", 4), "mail-*"];

    /// <summary>From which start on a handler does not fail any more, so that some that failed succeed when they are run again.</summary>
    private const int LastFailure = 8;

    internal static async Task WorkAsync(
        IBackend backend, History history, CancellationToken stop, int slots = 6, Store? store = null, Crash? crash = null,
        Func<TimeSpan>? stall = null)
    {
        var options = new TaskWorkerOptions
        {
            Queues = Subscriptions, Concurrency = slots, Lease = Lease, Heartbeat = Heartbeat, ShutdownGrace = TimeSpan.FromMilliseconds(200),
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
            history.Note(EventKind.Started, context.Id.Value, context.Epoch, early, context.Attempt, queue: context.Queue);
            await Task.Delay(work.Milliseconds, work.HeedsToken ? context.CancellationToken : CancellationToken.None);
            if (context.Epoch <= work.Snoozes)
            {
                throw new SnoozeTaskException(TimeSpan.FromMilliseconds(20 * work.Snoozes));
            }

            if (context.Attempt <= work.Failures && context.Epoch < LastFailure)
            {
                throw work.Failing switch
                {
                    Failing.AskingForMore => new RetryTaskException(TimeSpan.FromMilliseconds(work.Failures)),
                    Failing.ForGood => new FailTaskException("as told"),
                    _ => new InvalidOperationException("as told"),
                };
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
        history.Note(EventKind.Settle, context.Id.Value, context.Epoch, (long)Outcome.Success);
        try
        {
            await context.CompleteInAsync(transaction, context.Epoch);
        }
        catch (LeaseLostException)
        {
            history.Note(EventKind.Fenced, context.Id.Value, context.Epoch, (long)Outcome.Success);
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
        history.Note(EventKind.Settled, context.Id.Value, context.Epoch, (long)Outcome.Success);
    }

    /// <summary>Asks for a task to be cancelled.</summary>
    internal static async Task CancelAsync(IBackend backend, History history, TaskId id)
    {
        history.Note(EventKind.Cancel, id.Value);
        var outcome = -1L;
        try
        {
            outcome = (long)await backend.CancelAsync(id, CancellationToken.None);
        }
        catch (TaskNotFoundException)
        {
            // The checker knows whether there was one.
        }

        history.Note(EventKind.CancelAnswered, id.Value, value: outcome);
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
            "producer" => new Producer(backend, history, random).RunAsync(stopping.Token),
            "operator" => new Operator(backend, history, random).RunAsync(stopping.Token),
            "worker" => WorkAsync(backend, history, stopping.Token, store: store, crash: crash),
            "healer" => WorkAsync(backend, history, stopping.Token, HealerSlots, store),
            "vandal" => VandalizeAsync(store, random, stopping.Token),
            _ => throw new ArgumentException($"There is no role '{args[0]}'."),
        });
    }
}
