namespace Errand.Sqlite.Engine;

/// <summary>
/// A task that was started for a worker of this backend, with the columns that its end copies. They do not change while it runs.
/// </summary>
internal readonly record struct RunningTask(ReservedTask Task, long Queue, long Name, long Priority, long Started);
