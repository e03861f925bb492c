namespace Errand.Hosting;

/// <summary>From when on a store that can be reached is reported as degraded.</summary>
public sealed record ErrandHealthOptions
{
    /// <summary>
    /// The fewest live workers, of all processes, that are enough. Default is 1; 0 to 10,000, and 0 asks for none.
    /// </summary>
    public int MinWorkers { get; init; } = 1;

    /// <summary>The longest that a due task may wait for its start. Default is 5 minutes; 1 second to 365 days.</summary>
    public TimeSpan MaxWaiting { get; init; } = TimeSpan.FromMinutes(5);

    /// <summary>
    /// The most tasks that may wait while no live worker knows their name. Default is 0; any number from 0 to 1,000, up to which
    /// they are looked for.
    /// </summary>
    public int MaxUnclaimed { get; init; }

    /// <summary>These options with what a configuration says: its words win.</summary>
    internal ErrandHealthOptions With(OptionValues values) => this with
    {
        MinWorkers = values.Read(nameof(MinWorkers), MinWorkers),
        MaxWaiting = values.Read(nameof(MaxWaiting), MaxWaiting),
        MaxUnclaimed = values.Read(nameof(MaxUnclaimed), MaxUnclaimed),
    };

    internal ErrandHealthOptions Validated()
    {
        var problems = new OptionProblems(nameof(ErrandHealthOptions));
        problems.Range(MinWorkers is < 0 or > 10_000, nameof(MinWorkers), MinWorkers, "0 to 10,000");
        problems.Range(
            MaxWaiting < TimeSpan.FromSeconds(1) || MaxWaiting > TimeSpan.FromDays(365), nameof(MaxWaiting), MaxWaiting,
            "1 second to 365 days");
        problems.Range(
            MaxUnclaimed is < 0 or > QueueOverview.UnclaimedLimit, nameof(MaxUnclaimed), MaxUnclaimed, "0 to 1,000");
        problems.ThrowIfAny();
        return this;
    }
}
