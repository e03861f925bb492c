using System.Diagnostics;
using Errand.Bench.Postgres;
using Errand.Bench.Strains;
using Microsoft.Data.Sqlite;
using static Errand.Bench.Strains.Straining;

namespace Errand.Bench.Scenarios;

/// <summary>
/// How long one caller waits for an enqueue while an idle worker is there and something else strains the store. Every
/// case is compared with the quiet one of the same run.
/// </summary>
internal sealed class Strain : IScenario
{
    private const string Quiet = "quiet";
    private const int Samples = 2_000;

    /// <summary>Where a stranger holds the store, or everybody writes, fewer samples take long enough.</summary>
    private static readonly TimeSpan Longest = TimeSpan.FromSeconds(10);

    private readonly Store _store;
    private readonly Func<Func<StrainPlace, Task<double[]>>, Func<Place, int, Task<double[]>>> _at;

    /// <summary>On a file of SQLite.</summary>
    internal Strain()
    {
        Backend = "sqlite";
        _store = Store.Full;
        _at = measure => (place, _) => measure(new StrainPlace(
            () => new OpenStore(place.Store, place.Path), () => ConnectAsync(place.Path), "select 1", "select count(*) from errand_names",
            () => new FileInfo(place.Path + "-wal") is { Exists: true } log ? log.Length : 0));
    }

    internal Strain(PostgresServer server)
    {
        Backend = PostgresServer.Backend;
        _store = Store.Postgres;
        _at = measure => server.Measure((place, _) => measure(new StrainPlace(
            () => place.Open(), place.ConnectAsync, "lock table errand_tasks in share row exclusive mode",
            "select count(*) from errand_names", () => 0)));
    }

    public string Name => "strain";

    public string Backend { get; }

    public string Summary => "an enqueue beside unknown names, many queues, waiters, cancels, strangers and readers";

    public IReadOnlyList<Metric> Metrics { get; } =
        [new("medianMs", 3), new("p99Ms", 2), new("longestMs", 1, IsWorst: true), new("logMiB", 1, IsWorst: true)];

    public int Rounds => 1;

    public IEnumerable<Case> Cases(int tasks)
    {
        yield return Case(Quiet, NothingAsync);
        yield return Case("100,000 of unknown names", (_, store, _) => UnknownNamesAsync(store, 100_000));
        yield return Case("100,000 of others' names", (_, store, _) => NamesOfOthersAsync(store, 100_000));
        yield return Case("5,000 queues under a pattern", (_, store, _) => QueuesAsync(store, 5_000), "user-*", "user-1");
        yield return Case("20,000 waiters", (place, store, stop) => WaitersAsync(place, store, 20_000, stop));
        yield return Case("3,000 cancels", (_, store, stop) => CancelsAsync(store, 3_000, stop));
        yield return Case("a stranger holds it 20 ms of 100", (place, _, stop) => HoldAsync(place, stop));
        yield return Case("15 other callers", (_, store, stop) => CallersAsync(store, stop));
        yield return Case("15 other callers, readers overlap", ReadersAsync);

        Case Case(
            string name, Func<StrainPlace, OpenStore, CancellationToken, Task> strain, string subscription = Defaults.Queue,
            string queue = Defaults.Queue) =>
            new(name, _store, Tasks: null, _at(place => MeasureAsync(place, strain, subscription, queue))) { Raw = Quiet };
    }

    private static async Task<double[]> MeasureAsync(
        StrainPlace place, Func<StrainPlace, OpenStore, CancellationToken, Task> strain, string subscription, string queue)
    {
        using var stop = new CancellationTokenSource();
        await using var store = place.Open();
        await store.Queue.InitializeAsync();
        await using var worker = new TaskWorker(
            store.Backend, new TaskHandlers().Add<Note, Receipt>((note, _) => ValueTask.FromResult(new Receipt(note.Index))),
            new TaskWorkerOptions { Queues = [subscription] });
        await worker.StartAsync();
        await strain(place, store, stop.Token);
        var options = new EnqueueOptions { Queue = queue };
        var waits = new List<double>(Samples);
        var log = 0L;
        for (var began = Stopwatch.GetTimestamp(); waits.Count < Samples && Stopwatch.GetElapsedTime(began) < Longest;)
        {
            var calledAt = Stopwatch.GetTimestamp();
            await store.Queue.EnqueueAsync(Note.At(waits.Count), options);
            waits.Add(Stopwatch.GetElapsedTime(calledAt).TotalMilliseconds);
            log = waits.Count % 16 == 0 ? Math.Max(log, place.LogBytes()) : log;
        }

        await stop.CancelAsync();
        waits.Sort();
        return [waits[waits.Count / 2], waits[waits.Count * 99 / 100], waits[^1], log / (1024.0 * 1024)];
    }

    private static async Task<System.Data.Common.DbConnection> ConnectAsync(string path)
    {
        var connection = new SqliteConnection($"Data Source={path};Pooling=False");
        await connection.OpenAsync();
        return connection;
    }
}
