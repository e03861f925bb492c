using System.Diagnostics;
using System.Globalization;
using Errand.Sqlite;

namespace Errand.Torture;

/// <summary>Starts the processes, lets the nemesis at them by a plan drawn from the seed, then heals, drains and checks.</summary>
internal sealed class Supervisor(string folder, Durability durability, int seed, TimeSpan time) : IDisposable
{
    private readonly Random _random = new(seed);
    private readonly History _history = new(folder, "supervisor");
    private readonly Dictionary<(string Role, int Number), Process> _processes = [];
    private readonly Dictionary<(string Role, int Number), int> _generations = [];
    private int _generation;

    internal async Task<bool> RunAsync()
    {
        (string, int)[] all = [("producer", 1), ("producer", 2), ("worker", 1), ("worker", 2), ("worker", 3), ("vandal", 1)];
        foreach (var (role, number) in all)
        {
            Start(role, number);
        }

        var started = Stopwatch.GetTimestamp();
        while (Stopwatch.GetElapsedTime(started) < time)
        {
            await Task.Delay(_random.Next(50, 500));
            await HarmAsync(all[_random.Next(all.Length - 1)]);
            Revive();
        }

        await HealAsync();
        return await JudgeAsync();
    }

    private async Task HarmAsync((string Role, int Number) victim)
    {
        var process = _processes[victim];
        if (process.HasExited)
        {
            return;
        }

        switch (_random.Next(10))
        {
            case < 4:
                _history.Note(NameOf(victim), EventKind.Killed);
                process.Kill();
                await process.WaitForExitAsync();
                break;
            case < 8:
                var stoppedAt = Stopwatch.GetTimestamp();
                Signal(process, "STOP");
                await Task.Delay(Roles.Lease * (0.1 + (2.9 * _random.NextDouble())));
                _history.Note(
                    NameOf(victim), EventKind.Continued, value: (long)Stopwatch.GetElapsedTime(stoppedAt).TotalMilliseconds);
                Signal(process, "CONT");
                break;
            default:
                Signal(process, "TERM");
                break;
        }
    }

    /// <summary>Every process that has ended is started again.</summary>
    private void Revive()
    {
        foreach (var (who, process) in _processes.ToArray())
        {
            if (process.HasExited)
            {
                process.Dispose();
                Start(who.Role, who.Number);
            }
        }
    }

    private string NameOf((string Role, int Number) who) => History.Name(who.Role, who.Number) + "-" + _generations[who];

    private void Start(string role, int number)
    {
        _generations[(role, number)] = ++_generation;
        var points = Enum.GetNames<CrashPoint>();
        var crash = _random.Next(3) == 0 ? points[_random.Next(points.Length)] : "none";
        string[] arguments =
        [
            typeof(Supervisor).Assembly.Location, role, $"{number}-{_generation}", folder, durability.ToString(),
            _random.Next().ToString(CultureInfo.InvariantCulture), crash,
        ];
        _processes[(role, number)] = Process.Start("dotnet", arguments);
    }

    private static void Signal(Process process, string signal)
    {
        using var kill = Process.Start("kill", [$"-{signal}", $"{process.Id}"]);
        kill.WaitForExit();
    }

    /// <summary>Ends everybody, then drains with a worker of its own, which must be able to finish every task.</summary>
    private async Task HealAsync()
    {
        foreach (var (who, process) in _processes)
        {
            _history.Note(NameOf(who), EventKind.Killed);
            if (!process.HasExited)
            {
                process.Kill();
                await process.WaitForExitAsync();
            }

            process.Dispose();
        }

        await using var sqlite = Roles.Open(folder, durability);
        await using var backend = new RecordingBackend(sqlite, _history, null, _random);
        await using var worker = new TaskWorker(
            backend, Roles.Handlers(_history), new TaskWorkerOptions { Lease = Roles.Lease, Heartbeat = Roles.Heartbeat });
        await worker.StartAsync();
        for (var waited = Stopwatch.GetTimestamp(); Count("select count(*) from tasks") > 0;)
        {
            if (Stopwatch.GetElapsedTime(waited) > TimeSpan.FromMinutes(2))
            {
                Console.WriteLine("not drained within two minutes");
                break;
            }

            await Task.Delay(100);
        }
    }

    private async Task<bool> JudgeAsync()
    {
        _history.Dispose();
        var checker = new Checker();
        checker.Check(History.ReadAll(folder), await ReadFinalsAsync(), Roles.Lease);
        using var connection = Roles.Connect(folder);
        using var command = connection.CreateCommand();
        command.CommandText = "pragma integrity_check";
        var integrity = (string)command.ExecuteScalar()!;
        var left = Count("select count(*) from tasks");
        foreach (var example in checker.Examples)
        {
            Console.WriteLine(example);
        }

        var isOk = checker.IsOk && checker.SawSomething && integrity == "ok" && left == 0;
        Console.WriteLine(
            $"verdict={(isOk ? "ok" : "broken")} lost={checker.Lost} invented={checker.Invented} overlapping={checker.Overlapping} "
            + $"stale_writes={checker.StaleWrites} untruthful={checker.Untruthful} early={checker.Early} "
            + $"overcharged={checker.Overcharged} left={left} integrity={integrity} starts={checker.Starts} kills={checker.Kills} "
            + $"reclaims={checker.Reclaims} fences_seen={checker.Fences} seed={seed}");
        return isOk;
    }

    private long Count(string sql)
    {
        using var connection = Roles.Connect(folder);
        using var command = connection.CreateCommand();
        command.CommandText = sql;
        return (long)command.ExecuteScalar()!;
    }

    private async Task<List<Final>> ReadFinalsAsync()
    {
        await using var connection = Roles.Connect(folder);
        await using var command = connection.CreateCommand();
        command.CommandText = "select id, state, epoch, attempt, cast(cast(result as text) as integer) from finished";
        await using var rows = await command.ExecuteReaderAsync();
        List<Final> finals = [];
        while (await rows.ReadAsync())
        {
            finals.Add(new Final(
                rows.GetInt64(0), rows.GetInt32(1), rows.GetInt64(2), rows.GetInt32(3), rows.IsDBNull(4) ? null : rows.GetInt64(4)));
        }

        return finals;
    }

    public void Dispose()
    {
        foreach (var process in _processes.Values)
        {
            process.Dispose();
        }

        _history.Dispose();
    }
}
