namespace Errand.PostgreSql.Engine;

/// <summary>An operation that needs a lock which a caller's open transaction may hold.</summary>
internal interface ILocksTasks
{
    /// <summary>The tasks whose rows it locks.</summary>
    IEnumerable<long> LockedTasks => [];

    /// <summary>The locks of the ids that its caller reserved earlier, and now enqueues.</summary>
    IEnumerable<long> LockedIds => [];

    /// <summary>The locks of the unique keys that it enqueues.</summary>
    IEnumerable<long> LockedKeys => [];

    /// <summary>What it needs of what somebody else holds; null for nothing.</summary>
    HeldKind? Needs(HeldLocks held) =>
        LockedTasks.Any(held.Tasks.Contains) ? HeldKind.Task
        : LockedIds.Any(held.Ids.Contains) ? HeldKind.Id
        : LockedKeys.Any(held.Keys.Contains) ? HeldKind.Key
        : null;
}
