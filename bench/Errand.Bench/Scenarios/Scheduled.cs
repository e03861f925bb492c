namespace Errand.Bench.Scenarios;

/// <summary>
/// Whether tasks that are due later slow those that are due now: a worker drains a store that holds nothing else, and one that holds ten
/// scheduled tasks for each ready one, by default a million.
/// </summary>
internal sealed class Scheduled : IScenario
{
    private const string Alone = "drain";
    private const int ScheduledForEach = 10;

    public string Name => "scheduled";

    public string Summary => "a worker, with and without ten scheduled tasks (by default a million) for each ready one";

    public int Rounds => 3;

    public int? Tasks => 100_000;

    public IEnumerable<Case> Cases(int tasks)
    {
        foreach (var store in (Store[])[Store.Memory, Store.Full])
        {
            yield return new Case(Alone, store, tasks, OpenStore.Measure(Load.DrainAsync));
            yield return new Case($"{Alone}, {tasks * (long)ScheduledForEach:N0} scheduled", store, tasks, OpenStore.Measure(BesideAsync))
            {
                Raw = Alone,
            };
        }
    }

    private static async Task<double> BesideAsync(OpenStore store, int tasks)
    {
        var later = new EnqueueOptions { Delay = TimeSpan.FromDays(1) };
        for (var i = 0; i < ScheduledForEach; i++)
        {
            await store.FillAsync(tasks, later);
        }

        return await Load.DrainAsync(store, tasks);
    }
}
