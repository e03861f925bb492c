namespace Errand.Bench;

/// <summary>Interleaved rounds: whatever else the machine does meets every case alike.</summary>
internal static class Measurement
{
    private const int WarmUpTasks = 20_000;

    internal static async Task<IReadOnlyList<Row>> RunAsync(Options options)
    {
        var rows = options.Scenario.Cases(options.Tasks)
            .Where(one => one.ToString().Contains(options.Only, StringComparison.Ordinal))
            .Select(one => new Row(one, new double[options.Rounds]))
            .ToArray();
        foreach (var (one, _) in rows)
        {
            Console.Error.WriteLine($"warm-up: {one}");
            await one.Measure(Math.Min(one.Tasks, WarmUpTasks));
        }

        for (var round = 0; round < options.Rounds; round++)
        {
            Console.Error.WriteLine($"round {round + 1} of {options.Rounds}");
            foreach (var (one, samples) in rows)
            {
                GC.Collect(); // No case pays for the litter of the one before.
                GC.WaitForPendingFinalizers();
                samples[round] = await one.Measure(one.Tasks);
            }
        }

        return rows;
    }
}
