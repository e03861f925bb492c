namespace Errand.Sqlite.Settle;

/// <summary>
/// The tasks that were started for workers of this backend and are not settled, so that their end need not read their rows again.
/// One that is not here costs a read, and nothing else.
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

    /// <summary>It is settled, or lost.</summary>
    internal void Forget(TaskLease lease)
    {
        if (TryFind(lease, out _))
        {
            _tasks.Remove(lease.Id.Value);
        }
    }

    /// <summary>Forgets what the owner runs but for <paramref name="known"/>.</summary>
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
