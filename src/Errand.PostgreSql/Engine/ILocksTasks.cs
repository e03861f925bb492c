namespace Errand.PostgreSql.Engine;

/// <summary>An operation that needs a lock which a caller's open transaction may hold.</summary>
internal interface ILocksTasks
{
    /// <summary>The tasks whose rows it locks.</summary>
    IEnumerable<long> LockedTasks => [];

    /// <summary>The ids that its caller reserved earlier, and now enqueues.</summary>
    IEnumerable<long> LockedIds => [];

    /// <summary>The locks of the unique keys that it enqueues.</summary>
    IEnumerable<long> LockedKeys => [];

    /// <summary>
    /// Whether it needs one of those that somebody else holds: task ids, and locks of keys as complements.
    /// </summary>
    bool NeedsAny(IReadOnlySet<long> held) =>
        LockedTasks.Any(held.Contains) || LockedIds.Any(held.Contains) || LockedKeys.Any(key => held.Contains(~key));
}
