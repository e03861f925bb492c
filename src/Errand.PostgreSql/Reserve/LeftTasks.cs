namespace Errand.PostgreSql.Reserve;

/// <summary>
/// Which new tasks of a turn are ready and were handed to nobody: other processes are told, unless a worker here takes
/// them.
/// </summary>
internal sealed class LeftTasks() : TurnRows(TurnStage.Enqueue)
{
    private readonly HashSet<(string Queue, string Name)> _left = [];

    internal bool IsEmpty => _left.Count == 0;

    internal void Add(NewTask task) => _left.Add((task.Queue, task.Name));

    /// <summary>A worker here was given all that it knows in a queue.</summary>
    internal void Took(string queue, LocalWorker worker) =>
        _left.RemoveWhere(one => one.Queue == queue && worker.Knows(one.Name));

    /// <summary>Nothing to do: these rows are another statement's.</summary>
    internal override void Write(Turn turn)
    {
    }
}
