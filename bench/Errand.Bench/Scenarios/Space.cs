using Errand.Sqlite;

namespace Errand.Bench.Scenarios;

/// <summary>How much room tasks take: pages in use, divided by the number of tasks.</summary>
internal sealed class Space : IScenario
{
    public string Name => "space";

    public string Summary => "bytes that a pending and a finished task take";

    public IReadOnlyList<Metric> Metrics { get; } = [new("bytesPerTask")];

    public int Rounds => 1;

    public int? Tasks => 100_000;

    public IEnumerable<Case> Cases(int tasks)
    {
        foreach (var store in (Store[])[Store.Memory, Store.Full])
        {
            yield return new Case("pending", store, tasks, Growth(finish: false));
            yield return new Case("finished", store, tasks, Growth(finish: true));
        }
    }

    private static Func<Place, int, Task<double[]>> Growth(bool finish) =>
        OpenStore.Measure((store, tasks) => GrowthAsync(store, tasks, finish));

    private static async Task<double> GrowthAsync(OpenStore store, int tasks, bool finish)
    {
        var backend = (SqliteBackend)store.Backend; // Of which every store here is.
        var before = await backend.GetStorageAsync();
        await store.FillAsync(tasks);
        if (finish)
        {
            await store.DrainAsync(tasks);
        }

        var after = await backend.GetStorageAsync();
        return (after.UsedBytes - before.UsedBytes) / (double)tasks;
    }
}
