namespace Errand.Engine;

/// <summary>Some failed tasks, in the order in which they failed.</summary>
/// <param name="Ids">Which.</param>
/// <param name="Next">After what the next begin; null when there are no more.</param>
/// <param name="Until">When the last failed of those that are meant; null before that is known.</param>
internal sealed record FailedPage(IReadOnlyList<long> Ids, FailedMark? Next, long? Until)
{
    internal static FailedPage Before { get; } = new([], new FailedMark(long.MinValue, 0), null);

    internal static FailedPage None { get; } = new([], null, null);

    /// <summary>
    /// Retries all failed tasks that a filter means: found by reads, page by page, and then written by id, so that a
    /// page which is run again after a rollback is the same page.
    /// </summary>
    /// <param name="filter">Which tasks.</param>
    /// <param name="read">Finds the page after another.</param>
    /// <param name="retry">Retries the tasks of a page, and says how many it has.</param>
    /// <param name="cancellationToken">Ends it between two pages.</param>
    internal static async ValueTask<long> RetryAllAsync(
        TaskFilter filter, Func<FailedPage, Task<FailedPage>> read, Func<IReadOnlyList<long>, Task<int>> retry,
        CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(filter);
        filter.ValidateForRetry();
        var retried = 0L;
        for (var page = Before; page.Next is not null;)
        {
            cancellationToken.ThrowIfCancellationRequested();
            page = await read(page).ConfigureAwait(false);
            if (page.Ids.Count > 0)
            {
                retried += await retry(page.Ids).ConfigureAwait(false);
            }
        }

        return retried;
    }
}
