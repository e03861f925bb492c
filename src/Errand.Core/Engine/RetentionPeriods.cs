using Errand.Storage;

namespace Errand.Engine;

/// <summary>How long finished tasks are kept, by how they ended: the four options that both stores have.</summary>
internal readonly record struct RetentionPeriods(TimeSpan Succeeded, TimeSpan? Failed, TimeSpan? Cancelled, TimeSpan? Expired)
{
    private static readonly TimeSpan Shortest = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan Longest = TimeSpan.FromDays(3_650);

    /// <summary>The final states.</summary>
    internal static ReadOnlySpan<TaskState> States => [TaskState.Succeeded, TaskState.Failed, TaskState.Cancelled, TaskState.Expired];

    /// <summary>How long tasks in a final state are kept; null until they are removed.</summary>
    internal TimeSpan? Of(TaskState state) => state switch
    {
        TaskState.Failed => Failed,
        TaskState.Cancelled => Cancelled ?? Succeeded,
        TaskState.Expired => Expired ?? Succeeded,
        _ => Succeeded,
    };

    /// <summary>These periods with what a configuration says: its values win.</summary>
    internal RetentionPeriods With(OptionValues values) => new(
        values.Read("Retention", Succeeded),
        values.Read("FailedRetention", Failed),
        values.Read("CancelledRetention", Cancelled),
        values.Read("ExpiredRetention", Expired));

    internal void CollectProblems(OptionProblems problems)
    {
        Check(Succeeded, "Retention");
        Check(Failed, "FailedRetention");
        Check(Cancelled, "CancelledRetention");
        Check(Expired, "ExpiredRetention");

        void Check(TimeSpan? period, string option) =>
            problems.Range(period < Shortest || period > Longest, option, period, "1 second to 3,650 days");
    }
}
