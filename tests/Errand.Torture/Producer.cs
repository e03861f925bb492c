using System.Collections.Concurrent;
using System.Diagnostics;

namespace Errand.Torture;

/// <summary>
/// Enqueues, alone and in bulk, each task with an id had before; what was answered by nothing but trouble is often asked again. Cancels
/// some of its own.
/// </summary>
/// <param name="backend">The store.</param>
/// <param name="history">What it has done.</param>
/// <param name="random">What it does.</param>
/// <param name="guessed">
/// Where no answer can be lost, as no process can: ids that the producers of this process have guessed rather than been given. There
/// some tasks have no id of their own, and must not be given one that a guess has taken. Null where processes die.
/// </param>
internal sealed class Producer(
    IBackend backend, History history, Random random, ConcurrentDictionary<TaskId, bool>? guessed = null)
{
    private readonly bool _hasFile = guessed is null;

    /// <summary>So few that the producers get into each other's way.</summary>
    private const int Keys = 12;

    /// <summary>How often an enqueue of unknown outcome is asked again.</summary>
    private const int Repeats = 20;

    /// <summary>
    /// How often each producer makes a task that outlasts a lost lease and ignores its token. By time, not by number: a busy
    /// machine gets through few tasks, and enough of these must run when a worker is stopped.
    /// </summary>
    private static readonly TimeSpan StubbornEvery = TimeSpan.FromSeconds(1);

    private readonly Queue<TaskId> _recent = [];
    private long _stubbornAt = Stopwatch.GetTimestamp();

    internal async Task RunAsync(CancellationToken stop)
    {
        await using var queue = new TaskQueue(backend);
        while (!stop.IsCancellationRequested)
        {
            try
            {
                if (guessed is not null && random.Next(6) == 0)
                {
                    await EnqueueWithoutKeyAsync(queue, id: null);
                    continue;
                }

                if (guessed is not null && random.Next(8) == 0)
                {
                    await GuessAsync(queue);
                    continue;
                }

                var orders = new Order[random.Next(8) == 0 ? random.Next(2, 7) : 1];
                for (var i = 0; i < orders.Length; i++)
                {
                    orders[i] = NewOrder(await NewIdAsync(queue));
                }

                await EnqueueAsync(queue, orders, stop);
                if (random.Next(10) == 0)
                {
                    await EnqueueOnceAsync(queue, orders); // The second finds the first, if there was one.
                }

                if (_recent.Count > 0 && random.Next(8) == 0)
                {
                    await Roles.CancelAsync(backend, history, _recent.ElementAt(random.Next(_recent.Count)));
                }
            }
            catch (BackendException e) when (e.IsTransient)
            {
                // Unknown or refused: the task may exist or not. The next one is another.
            }
            catch (ArgumentException) when (guessed is not null)
            {
                // A guess beyond all ids that are given out so far.
            }

            await Task.Delay(random.Next(1, 8), CancellationToken.None);
        }
    }

    /// <summary>An id that was given, and that no guess has taken.</summary>
    private async Task<TaskId> NewIdAsync(TaskQueue queue)
    {
        var id = await queue.NewIdAsync(CancellationToken.None);
        while (guessed?.ContainsKey(id) == true)
        {
            id = await queue.NewIdAsync(CancellationToken.None);
        }

        return id;
    }

    /// <summary>Takes an id that will be given to somebody else later. Refused, it may be that of a task without an id of its own.</summary>
    private async Task GuessAsync(TaskQueue queue)
    {
        var guess = new TaskId((await NewIdAsync(queue)).Value + random.Next(1, 8));
        if (guessed!.TryAdd(guess, true))
        {
            await EnqueueWithoutKeyAsync(queue, guess);
        }
    }

    /// <summary>What has no id of its own, or one that was guessed, can be noted only when it is answered.</summary>
    private async Task EnqueueWithoutKeyAsync(TaskQueue queue, TaskId? id)
    {
        var order = NewOrder(default);
        var options = order.Options with { Id = id, UniqueKey = null, UniqueFor = null, ExpiresAt = null };
        var handle = await queue.EnqueueAsync(order.Work, options, CancellationToken.None);
        if (!handle.IsNew)
        {
            return; // A guess that came too late.
        }

        history.Note(EventKind.Enqueue, handle.Id.Value, queue: options.Queue);
        NoteAnswer(new Order(handle.Id, order.Work, options), handle);
    }

    private async Task EnqueueAsync(TaskQueue queue, Order[] orders, CancellationToken stop)
    {
        for (var left = random.Next(3) == 0 ? 0 : Repeats; ; left--)
        {
            try
            {
                await EnqueueOnceAsync(queue, orders);
                return;
            }
            catch (BackendException e) when (e.IsTransient && left > 0 && !stop.IsCancellationRequested)
            {
                await Task.Delay(random.Next(1, 100), CancellationToken.None);
            }
        }
    }

    private async Task EnqueueOnceAsync(TaskQueue queue, Order[] orders)
    {
        foreach (var (id, work, options) in orders)
        {
            history.Note(
                EventKind.Enqueue, id.Value, value: work.Effect == Effect.None ? 0 : 1,
                other: (long)(options.UniqueFor?.TotalMilliseconds ?? 0), until: options.ExpiresAt?.ToUnixTimeMilliseconds() ?? 0,
                queue: options.Queue, key: options.UniqueKey);
        }

        if (orders is [var only])
        {
            NoteAnswer(only, await queue.EnqueueAsync(only.Work, only.Options, CancellationToken.None));
            return;
        }

        var asked = 0;
        var handles = await queue.EnqueueManyAsync(
            orders.Select(order => order.Work), _ => orders[asked++].Options, CancellationToken.None);
        for (var i = 0; i < orders.Length; i++)
        {
            NoteAnswer(orders[i], handles[i]);
        }
    }

    private void NoteAnswer(Order order, TaskHandle answer)
    {
        if (answer.Id != order.Id)
        {
            history.Note(EventKind.Refused, order.Id.Value, other: answer.Id.Value);
            return;
        }

        history.Note(EventKind.Enqueued, order.Id.Value, value: order.Options.Retry!.MaxAttempts, other: answer.IsNew ? 1 : 0);
        _recent.Enqueue(order.Id);
        if (_recent.Count > 20)
        {
            _recent.Dequeue();
        }
    }

    private Order NewOrder(TaskId id)
    {
        var isUnique = random.Next(4) == 0;
        var options = new EnqueueOptions
        {
            Id = id,
            Queue = Roles.Queues[Math.Max(0, random.Next(-4, Roles.Queues.Length))],
            Priority = random.Next(3),
            Delay = random.Next(3) == 0 ? TimeSpan.FromMilliseconds(random.Next(400)) : null,
            ExpiresAt = random.Next(8) == 0 ? DateTimeOffset.UtcNow.AddMilliseconds(random.Next(50, 1_500)) : null,
            UniqueKey = isUnique ? "key" + random.Next(Keys) : null,
            UniqueFor = isUnique && random.Next(3) == 0 ? TimeSpan.FromMilliseconds(random.Next(100, 1_000)) : null,
            Retry = new RetryPolicy { MaxAttempts = random.Next(3, 8), Delay = TimeSpan.FromMilliseconds(random.Next(30)) },
        };
        return new Order(id, NewWork(), options);
    }

    private Work NewWork()
    {
        if (_hasFile && Stopwatch.GetElapsedTime(_stubbornAt) >= StubbornEvery)
        {
            _stubbornAt = Stopwatch.GetTimestamp();
            return new Work(2_500, Failures: 0, HeedsToken: false);
        }

        var effect = _hasFile && random.Next(4) == 0 ? (Effect)random.Next(1, 3) : Effect.None;
        var milliseconds = random.Next(40) switch
        {
            0 => random.Next(500, 2_500),
            < 10 => random.Next(60),
            _ => random.Next(4),
        };
        var failures = random.Next(24) switch { 0 => 10, < 5 => random.Next(1, 4), _ => 0 };
        var snoozes = random.Next(10) == 0 ? random.Next(1, 4) : 0;
        return new Work(milliseconds, failures, random.Next(2) == 0, effect, snoozes, (Failing)random.Next(3));
    }

    private sealed record Order(TaskId Id, Work Work, EnqueueOptions Options);
}
