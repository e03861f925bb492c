namespace Errand.Sqlite;

/// <summary>What a commit to a file survives besides the death of the process, which it always survives.</summary>
public enum Durability
{
    /// <summary>
    /// Every commit is synced to disk before the caller hears of it (WAL with <c>synchronous=FULL</c>). It survives a
    /// crash of the system and a power cut wherever the disk honours fsync. A power cut takes nothing that was
    /// acknowledged.
    /// </summary>
    Full,

    /// <summary>
    /// Commits are synced together, at least every second (WAL with <c>synchronous=NORMAL</c>). After a power cut or a
    /// crash of the system the file is consistent, but the last second of acknowledged commits may be undone: tasks
    /// enqueued in it are gone, tasks that ended in it run again.
    /// </summary>
    Relaxed,
}
