using System.Globalization;

namespace Errand;

/// <summary>
/// The task no longer belongs to the handler that tried to change it: it was started elsewhere, or has ended. Nothing was changed;
/// roll the transaction back.
/// </summary>
/// <param name="id">The task's id.</param>
/// <param name="epoch">The start whose lease was lost.</param>
public sealed class LeaseLostException(TaskId id, long epoch) : ErrandException(string.Create(
    CultureInfo.InvariantCulture,
    $"Start {epoch} of task {id} has lost its lease: the task was started elsewhere, or has ended. Roll the transaction back."))
{
    /// <summary>The task's id.</summary>
    public TaskId Id { get; } = id;

    /// <summary>The start whose lease was lost.</summary>
    public long Epoch { get; } = epoch;
}
