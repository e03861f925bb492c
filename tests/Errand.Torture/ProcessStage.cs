using System.Data.Common;
using System.Diagnostics;
using System.Globalization;

namespace Errand.Torture;

/// <summary>Two producers, three workers, an operator and a vandal, each a process of its own, on one store.</summary>
internal sealed class ProcessStage(string folder, Store store, TortureOptions options) : IStage
{
    /// <summary>How soon some task must be done when nobody is harmed any more. Polling alone finds one within a second.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);

    private readonly Random _random = new(options.Seed);
    private readonly History _history = new(folder, "supervisor");
    private readonly Dictionary<(string Role, int Number), Process> _processes = [];
    private readonly Dictionary<(string Role, int Number), int> _generations = [];
    private readonly List<string> _problems = [];
    private int _generation;

    public bool Kills => true;

    public async Task PlayAsync()
    {
        if (store.EnginePoints.Contains(CrashPoint.Migration))
        {
            await CrashInMigrationAsync();
        }

        await using (var backend = store.Open())
        {
            await backend.InitializeAsync();
            await store.ScalarAsync("create table effects (task bigint, epoch bigint)");
        }

        (string, int)[] all =
        [
            ("producer", 1), ("producer", 2), ("worker", 1), ("worker", 2), ("worker", 3), ("operator", 1), ("vandal", 1),
        ];
        foreach (var (role, number) in all)
        {
            Start(role, number, ChooseCrash(role));
        }

        var started = Stopwatch.GetTimestamp();
        for (var harm = 0; Stopwatch.GetElapsedTime(started) < TimeSpan.FromSeconds(options.Seconds); harm++)
        {
            await Task.Delay(_random.Next(50, 500));
            if (harm % 3 == 1)
            {
                await LoseLeaseAsync(("worker", _random.Next(1, 4))); // So that every run sees leases run out.
            }
            else if (harm % 10 == 8)
            {
                await store.HarmAsync(_random);
            }
            else
            {
                await HarmAsync(all[_random.Next(all.Length - 1)]);
            }

            Revive();
        }

        await KillAllAsync();
        await HealAsync();
    }

    /// <summary>The first process of all makes the tables, and is killed before they are committed.</summary>
    private async Task CrashInMigrationAsync()
    {
        Start("worker", 1, CrashPoint.Migration);
        var first = _processes[("worker", 1)];
        await first.WaitForExitAsync().WaitAsync(TimeSpan.FromMinutes(1));
        first.Dispose();
    }

    /// <summary>Every second process has a point at which it kills itself, of those that it comes to.</summary>
    private CrashPoint? ChooseCrash(string role)
    {
        CrashPoint[] points =
        [
            .. role == "worker" ? [CrashPoint.AfterReserve, CrashPoint.BeforeSettle, CrashPoint.AfterSettle] : Array.Empty<CrashPoint>(),
            .. store.EnginePoints.Where(point => point != CrashPoint.Migration),
        ];
        return _random.Next(2) == 0 && points.Length > 0 ? points[_random.Next(points.Length)] : null;
    }

    private async Task HarmAsync((string Role, int Number) victim)
    {
        switch (_random.Next(10))
        {
            case < 4:
                await KillAsync(victim);
                break;
            case < 8:
                await StopAndContinueAsync(victim, 0.1 + (2.9 * _random.NextDouble()));
                break;
            default:
                Signal(_processes[victim], "TERM");
                break;
        }
    }

    private async Task KillAsync((string Role, int Number) victim)
    {
        var process = _processes[victim];
        if (!process.HasExited)
        {
            _history.As(NameOf(victim)).Note(EventKind.Killed);
            process.Kill();
            await process.WaitForExitAsync();
            if (victim.Role == "worker" && _random.Next(3) == 0)
            {
                await OrphanAsync(process.Id);
            }
        }
    }

    /// <summary>What a copy of a database in use is like, or one that was cleared by hand: tasks run on a worker of which there is no row.</summary>
    private async Task OrphanAsync(int process)
    {
        try
        {
            await store.ScalarAsync(string.Create(
                CultureInfo.InvariantCulture, $"""
                delete from errand_worker_names where worker in (select id from errand_workers where process = {process});
                delete from errand_workers where process = {process}
                """));
        }
        catch (DbException)
        {
            // The vandal holds it.
        }
    }

    private async Task StopAndContinueAsync((string Role, int Number) victim, double leases)
    {
        var process = _processes[victim];
        Signal(process, "STOP");
        await Task.Delay(Roles.Lease * leases);
        Signal(process, "CONT");
    }

    /// <summary>
    /// Stopped amid a transaction it would hold everybody up, and nobody could take its tasks over: then it is let go on, and stopped
    /// at another moment.
    /// </summary>
    private async Task LoseLeaseAsync((string Role, int Number) victim)
    {
        var process = _processes[victim];
        Signal(process, "STOP");
        for (var tries = 1; tries < 10 && !await store.CanBeWrittenAsync(); tries++)
        {
            Signal(process, "CONT");
            await Task.Delay(_random.Next(1, 20));
            Signal(process, "STOP");
        }

        await Task.Delay(Roles.Lease * 2);
        Signal(process, "CONT");
    }

    /// <summary>Every process that has ended is started again.</summary>
    private void Revive()
    {
        foreach (var (who, process) in _processes.ToArray())
        {
            if (process.HasExited)
            {
                if (process.ExitCode is not (0 or 137 or 143)) // Done, killed, or terminated before it could listen.
                {
                    _problems.Add($"{NameOf(who)} ended with code {process.ExitCode}");
                }

                process.Dispose();
                Start(who.Role, who.Number, ChooseCrash(who.Role));
            }
        }
    }

    private string NameOf((string Role, int Number) who) => History.Name(who.Role, who.Number) + "-" + _generations[who];

    private void Start(string role, int number, CrashPoint? crash)
    {
        _generations[(role, number)] = ++_generation;
        string[] arguments =
        [
            typeof(ProcessStage).Assembly.Location, role, $"{number}-{_generation}", folder, $"{store}",
            _random.Next().ToString(CultureInfo.InvariantCulture), crash?.ToString() ?? "none",
        ];
        _processes[(role, number)] = Process.Start("dotnet", arguments);
    }

    private static void Signal(Process process, string signal)
    {
        if (!process.HasExited)
        {
            using var kill = Process.Start("kill", [$"-{signal}", $"{process.Id}"]);
            kill.WaitForExit();
        }
    }

    private async Task KillAllAsync()
    {
        foreach (var who in _processes.Keys)
        {
            await KillAsync(who);
            _processes[who].Dispose();
        }

        _processes.Clear();
    }

    /// <summary>
    /// One clean worker must be able to finish every task; and then, while it has nothing to do, tasks that come with no word to
    /// wake it.
    /// </summary>
    private async Task HealAsync()
    {
        await using (var backend = store.Open())
        {
            await new Operator(backend, _history, _random).ResumeAllAsync(); // The last one may have been killed over a paused queue.
        }

        Start("healer", 1, crash: null);
        await AreDoneAsync("not drained: no progress although nobody was harmed");
        for (var i = 0; i < 3 && _problems.Count == 0; i++)
        {
            await using var backend = store.Open(isSilent: true);
            await using var queue = new TaskQueue(backend);
            var id = await queue.NewIdAsync();
            _history.Note(EventKind.Enqueue, id.Value);
            await queue.EnqueueAsync(new Work(0, 0, HeedsToken: false), new EnqueueOptions { Id = id });
            _history.Note(EventKind.Enqueued, id.Value, value: Defaults.MaxAttempts);
            await AreDoneAsync($"starved: task {id} was not noticed without a word");
        }

        var worker = _processes[("healer", 1)];
        Signal(worker, "TERM");
        await worker.WaitForExitAsync().WaitAsync(TimeSpan.FromMinutes(1));
    }

    private async Task AreDoneAsync(string otherwise)
    {
        var left = -1L;
        var waited = Stopwatch.GetTimestamp();
        while (await store.ScalarAsync("select count(*) from errand_tasks") is > 0L and long now)
        {
            if (now != left)
            {
                left = now;
                waited = Stopwatch.GetTimestamp();
            }
            else if (Stopwatch.GetElapsedTime(waited) > Patience)
            {
                _problems.Add(otherwise);
                return;
            }

            await Task.Delay(50);
        }
    }

    public async Task<IReadOnlyCollection<Final>> ReadFinalsAsync()
    {
        await store.ScalarAsync("create index effects_by_task on effects (task)");
        await using var connection = await store.ConnectAsync();
        await using var command = connection.CreateCommand();
        command.CommandText = store.FinalsSql;
        await using var rows = await command.ExecuteReaderAsync();
        List<Final> finals = [];
        while (await rows.ReadAsync())
        {
            finals.Add(new Final(
                rows.GetInt64(0), rows.GetInt32(1), rows.GetInt64(2), rows.GetInt32(3), rows.IsDBNull(4) ? null : rows.GetInt64(4),
                rows.GetInt32(5) + (1_000 * rows.GetInt32(6)), rows.GetInt64(8),
                StartsOf(rows.GetInt64(2), rows.GetInt64(7), rows.IsDBNull(9) ? "" : rows.GetString(9))));
        }

        return finals;
    }

    private static Dictionary<long, long> StartsOf(long epoch, long started, string earlier)
    {
        Dictionary<long, long> starts = [];
        foreach (var one in earlier.Split(',', StringSplitOptions.RemoveEmptyEntries))
        {
            var parts = one.Split(':');
            starts[long.Parse(parts[0], CultureInfo.InvariantCulture)] = long.Parse(parts[1], CultureInfo.InvariantCulture);
        }

        if (epoch > 0)
        {
            starts[epoch] = started;
        }

        return starts;
    }

    public async Task<IReadOnlyList<string>> FindProblemsAsync()
    {
        foreach (var (sql, answer) in store.Checks)
        {
            var found = await store.ScalarAsync(sql);
            if (!answer.Equals(found))
            {
                _problems.Add($"{sql}: {found}, not {answer}");
            }
        }

        return _problems;
    }

    public async ValueTask DisposeAsync()
    {
        await KillAllAsync();
        _history.Dispose();
    }
}
