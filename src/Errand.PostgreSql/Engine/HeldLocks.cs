namespace Errand.PostgreSql.Engine;

/// <summary>What others were found to hold when last looked at: rows of tasks, and locks of ids and of unique keys.</summary>
internal sealed class HeldLocks
{
    internal HashSet<long> Tasks { get; } = [];

    internal HashSet<long> Ids { get; } = [];

    internal HashSet<long> Keys { get; } = [];

    internal int Count => Tasks.Count + Ids.Count + Keys.Count;

    internal void Clear()
    {
        Tasks.Clear();
        Ids.Clear();
        Keys.Clear();
    }

    internal void UnionWith(HeldLocks other)
    {
        Tasks.UnionWith(other.Tasks);
        Ids.UnionWith(other.Ids);
        Keys.UnionWith(other.Keys);
    }
}
