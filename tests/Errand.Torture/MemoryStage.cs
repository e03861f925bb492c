using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using Errand.Sqlite;

namespace Errand.Torture;

/// <summary>
/// Two producers, three workers and an operator in this process on <c>:memory:</c>. Nobody can be killed; the nemesis ends workers in the
/// middle of their work, whose tasks then start elsewhere when the lease has run out, and holds settlements up until they are late.
/// </summary>
internal sealed class MemoryStage : IStage
{
    private readonly TortureOptions _options;
    private readonly SqliteBackend _backend = new(":memory:");
    private readonly History _history;
    private readonly List<string> _problems = [];
    private readonly ConcurrentDictionary<TaskId, bool> _guessed = new();

    internal MemoryStage(string folder, TortureOptions options)
    {
        _options = options;
        _history = new History(folder, "memory");
    }

    public bool Kills => false;

    public async Task PlayAsync()
    {
        var random = new Random(_options.Seed);
        using var stop = new CancellationTokenSource();
        var players = new List<Task>();
        for (var i = 1; i <= 2; i++)
        {
            var (name, own) = (History.Name("producer", i), new Random(random.Next()));
            players.Add(Task.Run(() => NoteFailureAsync(new Producer(_backend, _history.As(name), own, _guessed).RunAsync(stop.Token))));
        }

        for (var i = 1; i <= 3; i++)
        {
            var (number, own) = (i, new Random(random.Next()));
            players.Add(Task.Run(() => NoteFailureAsync(ReviveAsync(number, own, stop.Token))));
        }

        var operated = new Operator(_backend, _history.As("operator"), new Random(random.Next()));
        players.Add(Task.Run(() => NoteFailureAsync(operated.RunAsync(stop.Token))));
        await Task.Delay(TimeSpan.FromSeconds(_options.Seconds));
        await stop.CancelAsync();
        await Task.WhenAll(players);
        await NoteFailureAsync(operated.ResumeAllAsync());
        await NoteFailureAsync(DrainAsync());
    }

    /// <summary>Nothing holds a database in memory up: a call that fails is the queue's fault, whatever others have asked of it.</summary>
    private async Task NoteFailureAsync(Task player)
    {
        try
        {
            await player;
        }
        catch (BackendException e)
        {
            lock (_problems)
            {
                _problems.Add($"a call failed: {e.Message}");
            }
        }
    }

    /// <summary>One worker after another, each ended in the middle of its work.</summary>
    private async Task ReviveAsync(int number, Random random, CancellationToken stop)
    {
        for (var life = 1; !stop.IsCancellationRequested; life++)
        {
            var name = History.Name("worker", number) + string.Create(CultureInfo.InvariantCulture, $"-{life}");
            using var end = CancellationTokenSource.CreateLinkedTokenSource(stop);
            end.CancelAfter(TimeSpan.FromMilliseconds(random.Next(300, 4_000)));
            await Roles.WorkAsync(_backend, _history.As(name), end.Token, stall: Stall);
        }

        TimeSpan Stall()
        {
            lock (random)
            {
                return random.Next(100) == 0 ? Roles.Lease * (1 + (3 * random.NextDouble())) : TimeSpan.Zero;
            }
        }
    }

    private async Task DrainAsync()
    {
        using var stop = new CancellationTokenSource();
        var worker = Roles.WorkAsync(_backend, _history.As("healer"), stop.Token, Roles.HealerSlots);
        var waited = Stopwatch.GetTimestamp();
        foreach (var id in await TasksAsync())
        {
            var left = TimeSpan.FromMinutes(2) - Stopwatch.GetElapsedTime(waited);
            if (await _backend.GetResultAsync(id, left > TimeSpan.Zero ? left : TimeSpan.Zero) is null)
            {
                _problems.Add($"task {id} has not ended although nobody was harmed");
            }
        }

        await stop.CancelAsync();
        await worker;
        if (Directory.GetFiles(".", ":memory:*").Length > 0)
        {
            _problems.Add("a file was made for :memory:");
        }
    }

    public async Task<IReadOnlyCollection<Final>> ReadFinalsAsync()
    {
        List<Final> finals = [];
        foreach (var id in await TasksAsync())
        {
            if (await _backend.FindAsync(id) is { FinishedAt: { } finished } task)
            {
                var starts = task.History.ToDictionary(one => one.Epoch, one => one.StartedAt.ToUnixTimeMilliseconds());
                if (task.StartedAt is { } started)
                {
                    starts[task.Epoch] = started.ToUnixTimeMilliseconds();
                }

                long? result = task.Result.IsEmpty ? null : JsonSerializer.Deserialize<long>(task.Result.Span);
                finals.Add(new Final(
                    id.Value, (int)task.State, task.Epoch, task.Attempt, result, 0, finished.ToUnixTimeMilliseconds(), starts));
            }
        }

        return finals;
    }

    /// <summary>Every task there is, newest first; of those that were tried some were never made.</summary>
    private async Task<List<TaskId>> TasksAsync()
    {
        List<TaskId> ids = [];
        for (TaskId? before = null; ;)
        {
            var page = await _backend.ListAsync(limit: TaskPage.MaxTasks, before: before);
            ids.AddRange(page.Tasks.Select(task => task.Id));
            if (page.Next is null)
            {
                return ids;
            }

            before = page.Next;
        }
    }

    public Task<IReadOnlyList<string>> FindProblemsAsync() => Task.FromResult<IReadOnlyList<string>>(_problems);

    public async ValueTask DisposeAsync()
    {
        _history.Dispose();
        await _backend.DisposeAsync();
    }
}
