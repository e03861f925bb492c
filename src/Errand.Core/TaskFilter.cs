namespace Errand;

/// <summary>Which tasks are meant. What is null is not asked for; a filter of nothing means all.</summary>
public sealed record TaskFilter
{
    internal const int MaxTextLength = 1_024;

    /// <summary>In this queue, by its exact name. Default is null: in any.</summary>
    public string? Queue { get; init; }

    /// <summary>With this stored name, exactly. Default is null: any.</summary>
    public string? Name { get; init; }

    /// <summary>In one of these states. Default is empty: in any.</summary>
    public IReadOnlyList<TaskState> States { get; init; } = [];

    /// <summary>
    /// With this text in the error that they ended with; upper and lower case differ, and no character has a meaning of its own.
    /// Default is null: any. 1 to 1,024 characters.
    /// </summary>
    public string? ErrorContains { get; init; }

    internal bool Asks(TaskState state) => States.Count == 0 || States.Contains(state);

    internal TaskFilter Validated()
    {
        var problems = new OptionProblems(nameof(TaskFilter));
        if (Queue is not null)
        {
            problems.Name(Queue, nameof(Queue));
        }

        if (Name is not null)
        {
            problems.Name(Name, nameof(Name));
        }

        foreach (var state in States.Where(state => !Enum.IsDefined(state)))
        {
            problems.Range(true, nameof(States), state, "the states of TaskState");
        }

        if (ErrorContains is not null)
        {
            problems.Text(ErrorContains, MaxTextLength, nameof(ErrorContains));
        }

        problems.ThrowIfAny();
        return this;
    }

    /// <exception cref="ArgumentException">It asks for other tasks than failed ones, which alone are retried by a filter.</exception>
    internal void ValidateForRetry()
    {
        if (Validated().States.Any(state => state != TaskState.Failed))
        {
            throw new ArgumentException(
                $"The filter asks for {string.Join(", ", States)}; only failed tasks are retried by a filter. Leave its states empty, or "
                + $"give {nameof(TaskState.Failed)} alone.");
        }
    }
}
