using System.Globalization;

namespace Errand;

/// <summary>
/// A handler wanted to settle its task in a transaction, but the task is no longer its own: it was started elsewhere, or has
/// ended. Nothing was changed; roll the transaction back.
/// </summary>
/// <param name="id">The task's id.</param>
/// <param name="epoch">The start whose lease was lost.</param>
public sealed class LeaseLostException(long id, long epoch) : Exception(string.Create(
    CultureInfo.InvariantCulture,
    $"Start {epoch} of task {id} has lost its lease: the task was started elsewhere, or has ended. Roll the transaction back."))
{
    /// <summary>The task's id.</summary>
    public long Id { get; } = id;

    /// <summary>The start whose lease was lost.</summary>
    public long Epoch { get; } = epoch;
}
