namespace Errand.Sqlite.Engine;

/// <summary>
/// A task that was started for a worker of this backend, with what of its row its end needs: none of it changes while it runs.
/// </summary>
internal readonly record struct RunningTask(ReservedTask Task, long Queue, long Name, long Priority, long Started);
