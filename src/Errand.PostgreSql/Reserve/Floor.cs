namespace Errand.PostgreSql.Reserve;

/// <summary>
/// A place in the order of one queue: what is before it has been taken, or passed over. A reserve begins there, so that
/// dead rows, which vacuum cannot remove while somebody holds an old snapshot, are not looked through each time.
/// </summary>
internal readonly record struct Floor(int Rank, long Due, long Id)
{
    internal static Floor None { get; } = new(int.MinValue, long.MinValue, long.MinValue);

    internal bool IsBefore(Floor other) => (Rank, Due, Id).CompareTo((other.Rank, other.Due, other.Id)) < 0;
}
