namespace Errand;

/// <summary>A page of a list.</summary>
/// <param name="Tasks">The tasks, newest first.</param>
/// <param name="Next">
/// What to give as <c>before</c> to have the next page; null when this is the last. A page may hold fewer tasks than were asked for,
/// or none, and still have a next: one call looks at a bounded number of tasks, so that a rare filter holds nobody up.
/// </param>
public sealed record TaskPage(IReadOnlyList<TaskSummary> Tasks, long? Next)
{
    /// <summary>The most tasks of one page: 1,000.</summary>
    public const int MaxTasks = 1_000;

    /// <summary>
    /// How many live and how many finished tasks one page looks at, at most: 100,000 each. Fewer where a text is looked for in errors.
    /// </summary>
    public const int LookedAt = 100_000;
}
