namespace Errand;

/// <summary>One page of a list of tasks.</summary>
public sealed record TaskPage
{
    /// <summary>The most tasks of one page: 1,000.</summary>
    public const int MaxTasks = 1_000;

    /// <summary>
    /// The most live and the most finished tasks that one page looks at: 100,000 each. Fewer when the filter searches errors.
    /// </summary>
    public const int LookedAt = 100_000;

    /// <summary>The tasks, newest first.</summary>
    public required IReadOnlyList<TaskSummary> Tasks { get; init; }

    /// <summary>
    /// The id to pass as <c>before</c> to get the next page. Null if this is the last page. A page may hold fewer tasks than asked
    /// for, or none, and still have a next one: a call looks at a bounded number of tasks, so that a rare filter cannot block it.
    /// </summary>
    public required TaskId? Next { get; init; }
}
