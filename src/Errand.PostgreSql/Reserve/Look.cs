namespace Errand.PostgreSql.Reserve;

/// <summary>A worker's look into one queue, in one turn.</summary>
/// <param name="queue">The queue.</param>
/// <param name="asked">How many tasks it asks for.</param>
internal sealed class Look(string queue, int asked)
{
    internal string Queue => queue;

    /// <summary>How many it was given.</summary>
    internal int Given { get; set; }

    internal bool IsFull => Given == asked;

    /// <summary>What is learnt of it after the commit.</summary>
    internal Action? After { get; set; }
}
