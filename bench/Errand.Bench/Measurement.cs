namespace Errand.Bench;

/// <summary>One warm-up, then interleaved rounds: whatever else the machine does meets every case alike.</summary>
internal static class Measurement
{
    internal const int WarmUpTasks = 20_000;

    internal static async Task<IReadOnlyList<Row>> RunAsync(Options options)
    {
        var rows = options.Scenario.Cases(options.Tasks)
            .Where(one => one.ToString().Contains(options.Only, StringComparison.Ordinal))
            .Select(one => new Row(one, new double[options.Rounds][]))
            .ToArray();
        Console.Error.WriteLine("warm-up");
        foreach (var (one, _) in rows.Where(row => row.Case.Tasks is not null))
        {
            await SampleAsync(one, Math.Min(one.Tasks ?? 0, WarmUpTasks));
        }

        for (var round = 0; round < options.Rounds; round++)
        {
            Console.Error.WriteLine($"round {round + 1} of {options.Rounds}");
            foreach (var (one, samples) in rows)
            {
                samples[round] = await SampleAsync(one, one.Tasks ?? 0);
            }
        }

        return rows;
    }

    private static async Task<double[]> SampleAsync(Case one, int tasks)
    {
        GC.Collect(); // No case pays for the litter of the one before.
        GC.WaitForPendingFinalizers();
        using var place = new Place(one.Store);
        return await one.Measure(place, tasks);
    }
}
