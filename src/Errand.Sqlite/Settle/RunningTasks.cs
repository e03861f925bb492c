namespace Errand.Sqlite.Settle;

/// <summary>
/// The tasks that run for workers of this backend, so that their rows need not be read again when they end. The writer's alone. A
/// task that is missing here is read, and nothing else changes.
/// </summary>
internal sealed class RunningTasks
{
    private readonly Dictionary<long, RunningTask> _tasks = [];

    internal void Add(List<RunningTask> started)
    {
        foreach (var task in started)
        {
            _tasks[task.Task.Lease.Id.Value] = task;
        }
    }

    internal bool TryFind(TaskLease lease, out RunningTask task) =>
        _tasks.TryGetValue(lease.Id.Value, out task) && task.Task.Lease == lease;

    /// <summary>The task is settled or lost.</summary>
    internal void Forget(TaskLease lease)
    {
        if (TryFind(lease, out _))
        {
            _tasks.Remove(lease.Id.Value);
        }
    }

    /// <summary>Forgets all tasks of the owner except <paramref name="known"/>.</summary>
    internal void Forget(long owner, IReadOnlySet<TaskId> known)
    {
        foreach (var (id, task) in _tasks)
        {
            if (task.Task.Lease.Owner.Value == owner && !known.Contains(new TaskId(id)))
            {
                _tasks.Remove(id);
            }
        }
    }
}
