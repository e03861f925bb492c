namespace Errand.Engine;

/// <summary>One page of a list, as the stores look for it: limits, marks and filters.</summary>
/// <param name="Filter">Which tasks are asked for.</param>
/// <param name="Queue">The number of the filter's queue; null for any.</param>
/// <param name="Name">The number of the filter's task name; null for any.</param>
/// <param name="Limit">How many are looked for: one more than a page has tells whether there are more.</param>
/// <param name="Before">The id that all of them are below.</param>
internal sealed record PageQuery(TaskFilter Filter, long? Queue, long? Name, int Limit, long Before)
{
    /// <summary>
    /// Errors that one page looks into at most: each may have 16 KiB, and a text that is nearly in all of them takes
    /// 0.1 ms each.
    /// </summary>
    internal const int ErrorsLookedAt = 2_000;

    /// <summary>Tasks that are retried in one transaction at most: some milliseconds.</summary>
    internal const int RetryBatch = 500;

    /// <summary>A bit for each state that is asked for.</summary>
    internal long States { get; } = Enum.GetValues<TaskState>().Where(Filter.Asks).Sum(state => 1L << (int)state);

    internal bool AsksLive => Filter.ErrorContains is null && AsksAny(TaskState.Pending, TaskState.Scheduled, TaskState.Running);

    internal bool AsksFinished => AsksAny(TaskState.Succeeded, TaskState.Failed, TaskState.Cancelled, TaskState.Expired);

    /// <summary>Whether tasks that can have an error are asked for.</summary>
    internal bool AsksErrors => AsksAny(TaskState.Failed, TaskState.Cancelled);

    /// <exception cref="ArgumentOutOfRangeException">A page has 1 to <see cref="TaskPage.MaxTasks"/> tasks.</exception>
    internal static void CheckLimit(int limit)
    {
        if (limit is < 1 or > TaskPage.MaxTasks)
        {
            throw new ArgumentOutOfRangeException(
                nameof(limit), limit, $"A page has 1 to {TaskPage.MaxTasks:N0} tasks; take the next one with its {nameof(TaskPage.Next)}.");
        }
    }

    /// <summary>
    /// The page, from what was found in both tables: both are looked at down to the same id, however little each has
    /// given by then. What is below it is the next page's.
    /// </summary>
    internal TaskPage ToPage(List<TaskSummary> found, long lookedDownTo)
    {
        var tasks = found.Where(task => task.Id.Value >= lookedDownTo).OrderByDescending(task => task.Id).Take(Limit).ToList();
        if (tasks.Count == Limit)
        {
            tasks.RemoveAt(Limit - 1);
            lookedDownTo = tasks[^1].Id.Value;
        }

        return new TaskPage { Tasks = tasks, Next = lookedDownTo > 0 ? new TaskId(lookedDownTo) : null };
    }

    private bool AsksAny(params ReadOnlySpan<TaskState> states)
    {
        foreach (var state in states)
        {
            if (Filter.Asks(state))
            {
                return true;
            }
        }

        return false;
    }
}
