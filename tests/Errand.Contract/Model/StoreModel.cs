using Errand.TestKit;

namespace Errand.Contract;

/// <summary>
/// What a store should hold, as plain as it can be said: a list of tasks, the queues that are paused, the keys that stay taken. A step
/// of <see cref="StoreStep"/> asks it what the store will answer.
/// </summary>
internal sealed class StoreModel(ManualTimeProvider clock)
{
    private readonly Dictionary<(string Name, string Key), (TaskId Id, long Until)> _periods = [];

    internal List<ModelTask> Tasks { get; } = [];

    internal HashSet<string> Paused { get; } = new(StringComparer.Ordinal);

    internal long Now => clock.GetUtcNow().ToUnixTimeMilliseconds();

    internal ModelTask? Find(TaskId id) => Tasks.Find(task => task.Id == id);

    /// <summary>The task that a new one with this key would be answered with; null when the key is free.</summary>
    internal TaskId? HolderOf(string name, string? key) =>
        key is null ? null
        : Tasks.Find(task => task.IsLive && task.Name == name && task.Key == key) is { } live ? live.Id
        : _periods.TryGetValue((name, key), out var period) && period.Until > Now ? period.Id
        : null;

    internal void Add(TaskId id, NewTask task)
    {
        Tasks.Add(new ModelTask
        {
            Id = id,
            Name = task.Name,
            Queue = task.Queue,
            Priority = task.Priority,
            Due = task.DueAt is { } due ? Math.Max(Now, due.ToUnixTimeMilliseconds()) : After(task.Delay ?? TimeSpan.Zero),
            Expires = task.ExpiresAt?.ToUnixTimeMilliseconds(),
            Key = task.UniqueKey,
        });
        if (task is { UniqueKey: { } key, UniqueFor: { } period })
        {
            _periods[(task.Name, key)] = (id, After(period));
        }
    }

    /// <summary>Starts what a worker gets that asks for so many of a queue.</summary>
    internal List<ModelTask> Start(string queue, int max, WorkerId owner)
    {
        List<ModelTask> started =
        [
            .. Tasks.Where(task => task.State == TaskState.Pending && task.Queue == queue && task.Due <= Now)
                .Where(task => !Paused.Contains(queue) && !(task.Expires <= Now))
                .OrderByDescending(task => task.Priority).ThenBy(task => task.Due).ThenBy(task => task.Id).Take(max),
        ];
        foreach (var task in started)
        {
            task.State = TaskState.Running;
            task.Owner = owner;
            task.Attempt++;
            task.Epoch++;
            task.StartedAt = Now;
        }

        return started;
    }

    /// <summary>The task that a lease gives a right to; null when the right is lost.</summary>
    internal ModelTask? Held(TaskLease lease) => Tasks.Find(task =>
        task.State == TaskState.Running && task.Id == lease.Id && task.Owner == lease.Owner && task.Epoch == lease.Epoch);

    internal void Fail(ModelTask task, TimeSpan? retryAfter)
    {
        if (retryAfter is null)
        {
            End(task, TaskState.Failed);
        }
        else if (task.CancelAsked)
        {
            End(task, TaskState.Cancelled);
        }
        else
        {
            task.Note();
            Wait(task, After(retryAfter.Value));
        }
    }

    /// <summary>The attempt is not charged; one that was to be cancelled ends.</summary>
    internal void GiveBack(ModelTask task, TimeSpan? delay = null)
    {
        if (task.CancelAsked)
        {
            End(task, TaskState.Cancelled);
            return;
        }

        task.Attempt--;
        Wait(task, delay is null ? task.Due : After(delay.Value));
    }

    internal int GiveBackAllOf(WorkerId owner)
    {
        var owned = Tasks.FindAll(task => task.State == TaskState.Running && task.Owner == owner);
        owned.ForEach(task => GiveBack(task));
        return owned.Count;
    }

    internal CancelOutcome Cancel(ModelTask task)
    {
        switch (task.State)
        {
            case TaskState.Pending:
                End(task, TaskState.Cancelled);
                return CancelOutcome.Cancelled;
            case TaskState.Running:
                task.CancelAsked = true;
                return CancelOutcome.Requested;
            default:
                return CancelOutcome.AlreadyFinished;
        }
    }

    /// <returns>Null where either answer is right: it is due, and whether it is called scheduled still is the store's affair.</returns>
    internal bool? Retry(ModelTask task)
    {
        if (task.State == TaskState.Pending)
        {
            var wasDue = task.Due <= Now;
            task.Due = Math.Min(task.Due, Now);
            return wasDue ? null : true;
        }

        var isFree = !Tasks.Exists(other => other.IsLive && other.Name == task.Name && other.Key == task.Key && task.Key is not null);
        if (task.State != TaskState.Failed || !isFree)
        {
            return false;
        }

        task.Note();
        task.Attempt = 0;
        task.Expires = null;
        task.FinishedAt = null;
        Wait(task, Now);
        return true;
    }

    internal void End(ModelTask task, TaskState state)
    {
        task.State = state;
        task.FinishedAt = Now;
        task.CancelAsked = false;
    }

    private static void Wait(ModelTask task, long due)
    {
        task.State = TaskState.Pending;
        task.Due = due;
    }

    private long After(TimeSpan delay) => Now + (long)Math.Ceiling(delay.TotalMilliseconds);
}

/// <summary>A task as the model has it. One that waits is pending, whenever it is due.</summary>
internal sealed class ModelTask
{
    internal required TaskId Id { get; init; }

    internal required string Name { get; init; }

    internal required string Queue { get; init; }

    internal required int Priority { get; init; }

    internal required string? Key { get; init; }

    internal required long Due { get; set; }

    internal required long? Expires { get; set; }

    internal TaskState State { get; set; } = TaskState.Pending;

    internal WorkerId Owner { get; set; }

    internal int Attempt { get; set; }

    internal long Epoch { get; set; }

    internal bool CancelAsked { get; set; }

    internal long? StartedAt { get; set; }

    internal long? FinishedAt { get; set; }

    internal double? Progress { get; set; }

    internal string Checkpoint { get; set; } = "";

    internal List<(int Attempt, long Epoch)> History { get; } = [];

    internal bool IsLive => State is TaskState.Pending or TaskState.Running;

    /// <summary>An attempt that failed without ending the task, or whose end was taken back.</summary>
    internal void Note()
    {
        History.Add((Attempt, Epoch));
        if (History.Count > Defaults.AttemptsKept)
        {
            History.RemoveAt(0);
        }
    }
}
