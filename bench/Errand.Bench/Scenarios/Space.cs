namespace Errand.Bench.Scenarios;

/// <summary>How much room tasks take: pages in use, divided by the number of tasks.</summary>
internal sealed class Space : IScenario
{
    public string Name => "space";

    public string Summary => "bytes that a pending and a finished task take";

    public int Rounds => 1;

    public int? Tasks => 100_000;

    public Metric Metric => Metric.BytesPerTask;

    public IEnumerable<Case> Cases(int tasks)
    {
        foreach (var store in (Store[])[Store.Memory, Store.Full])
        {
            yield return new Case("pending", store, tasks, n => GrowthAsync(store, n, finish: false));
            yield return new Case("finished", store, tasks, n => GrowthAsync(store, n, finish: true));
        }
    }

    private static async Task<double> GrowthAsync(Store store, int tasks, bool finish)
    {
        await using var open = await store.OpenAsync();
        var before = await open.Backend.GetStorageAsync();
        await open.FillAsync(tasks);
        if (finish)
        {
            await open.DrainAsync(tasks);
        }

        var after = await open.Backend.GetStorageAsync();
        return (after.UsedBytes - before.UsedBytes) / (double)tasks;
    }
}
