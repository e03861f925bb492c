namespace Errand.Bench;

/// <summary>One warm-up, then interleaved rounds: whatever else the machine does meets every case alike.</summary>
internal static class Measurement
{
    private const int WarmUpTasks = 20_000;

    internal static async Task<IReadOnlyList<Row>> RunAsync(Options options)
    {
        var rows = options.Scenario.Cases(options.Tasks)
            .Where(one => one.ToString().Contains(options.Only, StringComparison.Ordinal))
            .Select(one => new Row(one, new double[options.Rounds]))
            .ToArray();
        for (var round = -1; round < options.Rounds; round++)
        {
            Console.Error.WriteLine(round < 0 ? "warm-up" : $"round {round + 1} of {options.Rounds}");
            foreach (var (one, samples) in rows)
            {
                GC.Collect(); // No case pays for the litter of the one before.
                GC.WaitForPendingFinalizers();
                await using var store = new OpenStore(one.Store);
                await store.Queue.InitializeAsync();
                var tasks = round < 0 ? Math.Min(one.Tasks, WarmUpTasks) : one.Tasks;
                samples[Math.Max(round, 0)] = await one.Measure(store, tasks);
            }
        }

        return rows;
    }
}
