using Errand.Bench.Baselines;
using Errand.Bench.Postgres;

namespace Errand.Bench.Scenarios;

/// <summary>
/// Throughput on PostgreSQL between two marks of the same run: <c>raw</c>, rows by the thousand on one connection, and
/// <c>naive</c>, a queue made by hand on sixteen. Each is compared with what it replaces, as in <see cref="Limit"/>.
/// </summary>
internal sealed class PostgresLimit(PostgresServer server) : IScenario
{
    private const string Raw = "raw";
    private const string NaiveEnqueue = "naive";
    private const string NaiveLive = "live-naive";

    public string Name => "limit";

    public string Backend => PostgresServer.Backend;

    public string Summary => "the same on PostgreSQL, by hand on sixteen connections";

    public int? Tasks => 200_000;

    public IEnumerable<Case> Cases(int tasks)
    {
        // Fewer where a task pays for more, so that every case takes a second or two.
        var (many, some, few) = (Part(2), Part(10), Part(50));
        yield return Mark(Raw, tasks, PostgresRaw.UnnestAsync, naive: null);
        yield return Mark("raw-copy", tasks, PostgresRaw.CopyAsync, naive: null);
        yield return Mark("raw-one", some, PostgresRaw.OneByOneAsync, naive: null);
        yield return Mark(NaiveEnqueue, some, PostgresNaive.EnqueueAsync, NaiveEnqueue);
        yield return Mark(NaiveLive, few, PostgresNaive.LiveAsync, NaiveLive);
        yield return Ours("enqueue-1", few, (open, n) => Load.EnqueueAsync(open, n, callers: 1), NaiveEnqueue);
        yield return Ours("enqueue-64", many, (open, n) => Load.EnqueueAsync(open, n, callers: 64), NaiveEnqueue);
        yield return Ours("enqueue-256", tasks, (open, n) => Load.EnqueueAsync(open, n, callers: 256), NaiveEnqueue);
        yield return Ours("enqueue-bulk", tasks, Load.EnqueueManyAsync, NaiveEnqueue);
        yield return Ours("drain", tasks, Load.DrainAsync, naive: null);
        yield return Ours("drain, blocking", tasks, Load.DrainBlockingAsync, naive: null);
        yield return Ours("live", many, (open, n) => Load.LiveAsync(open, n, callers: 64), NaiveLive);
        yield return Ours("live-256", many, (open, n) => Load.LiveAsync(open, n, callers: 256), NaiveLive);

        int Part(int divisor) => (tasks + divisor - 1) / divisor;

        Case Mark(string name, int count, Func<ServerPlace, int, Task<double[]>> measure, string? naive) =>
            new(name, Store.Postgres, count, server.Measure(measure)) { Raw = Raw, Naive = naive };

        Case Ours(string name, int count, Func<OpenStore, int, Task<double>> measure, string? naive) =>
            new(name, Store.Postgres, count, server.Measure(measure)) { Raw = Raw, Naive = naive };
    }
}
