using Errand.TestKit;

namespace Errand.Contract;

/// <summary>
/// One sequence of steps on a store, beside the model of it. Its queues and names are its own, so that many can use one store after
/// another.
/// </summary>
internal sealed class StoreRun(
    IBackend backend, ManualTimeProvider clock, int number, HashSet<string> met, CancellationToken token)
{
    /// <summary>Longer than any sequence: here nobody dies of silence.</summary>
    private static readonly TimeSpan Lease = TimeSpan.FromDays(1);

    private readonly List<TaskId> _ids = [];
    private readonly List<TaskLease> _leases = [];
    private readonly WorkerId[] _workers = new WorkerId[2];

    internal IBackend Backend => backend;

    internal IQueueInspector Inspector => backend.Control<IQueueInspector>()!;

    internal ManualTimeProvider Clock => clock;

    internal CancellationToken Token => token;

    internal StoreModel Model { get; } = new(clock);

    internal string Queue(int pick) => $"q{number}-{pick % 2}";

    internal string Name(int pick) => $"t{number}-{pick % 2}";

    /// <summary>One of the tasks that were enqueued, deleted ones included, the newest first; null before there is one.</summary>
    internal TaskId? Id(int pick) => _ids.Count == 0 ? null : _ids[^(1 + pick % _ids.Count)];

    /// <summary>One of the leases that were given, lost ones included, the newest first; null before there is one.</summary>
    internal TaskLease? LeaseOf(int pick) => _leases.Count == 0 ? null : _leases[^(1 + pick % _leases.Count)];

    internal WorkerId Worker(int pick) => _workers[pick % 2];

    internal void NoteId(TaskId id) => _ids.Add(id);

    /// <summary>A worker got the tasks that the model started for it, and its leases can be used from now on.</summary>
    internal void Receive(List<ModelTask> expected, IReadOnlyList<ReservedTask> tasks)
    {
        Assert.Equal(
            expected.Select(task => (new TaskLease { Id = task.Id, Owner = task.Owner, Epoch = task.Epoch }, task.Attempt, task.Name, task.Due)),
            tasks.Select(task => (task.Lease, task.Attempt, task.Name, Milliseconds(task.DueAt))));
        _leases.AddRange(tasks.Select(task => task.Lease));
    }

    /// <summary>A step met a case of its own: so that it is known afterwards which were never met.</summary>
    internal void Meet(StoreStep step, string what) => met.Add($"{step.GetType().Name} {what}");

    internal async Task BeginWorkerAsync(int pick)
    {
        var registration = new WorkerRegistration { Lease = Lease, TaskNames = [Name(0), Name(1)], Queues = [Queue(0), Queue(1)] };
        _workers[pick % 2] = await backend.BeginWorkerAsync(registration, token);
    }

    internal async Task TakeAsync(IEnumerable<StoreStep> steps)
    {
        await BeginWorkerAsync(0);
        await BeginWorkerAsync(1);
        foreach (var step in steps)
        {
            await step.TakeAsync(this);
            await ExpireAsync();
        }

        await CompareAsync();
        foreach (var worker in _workers)
        {
            await backend.EndWorkerAsync(worker, release: true, token);
        }
    }

    /// <summary>What has expired by now ends, whoever asks for it or not; the store is given a turn to see it.</summary>
    private async Task ExpireAsync()
    {
        foreach (var task in Model.Tasks.Where(task => task.State == TaskState.Pending && task.Expires <= Model.Now))
        {
            Model.End(task, TaskState.Expired);
            await Eventually.TrueAsync(
                async () => (await Inspector.FindAsync(task.Id, token))?.State == TaskState.Expired, $"task {task.Id} expires");
        }
    }

    /// <summary>Everything that can be seen of every task is what the model says.</summary>
    private async Task CompareAsync()
    {
        foreach (var task in Model.Tasks)
        {
            var found = await Inspector.FindAsync(task.Id, token);
            Assert.NotNull(found);
            Assert.Equal(
                (task.Queue, task.Name, task.Priority, StateOf(task, found.State), task.Attempt, task.Epoch, task.Due),
                (found.Queue, found.Name, found.Priority, found.State, found.Attempt, found.Epoch, Milliseconds(found.DueAt)));
            Assert.Equal(
                (task.State == TaskState.Running ? task.Owner : null, task.CancelAsked, task.StartedAt, task.Progress),
                (found.Worker, found.IsCancelRequested, Milliseconds(found.StartedAt), found.Progress?.Fraction));
            Assert.Equal(task.History, found.History.Select(attempt => (attempt.Attempt, attempt.Epoch)));
            Assert.Equal(task.FinishedAt, Milliseconds(found.FinishedAt));
            Assert.Equal(
                task.Checkpoint, System.Text.Encoding.UTF8.GetString((await backend.ReadCheckpointAsync(task.Id, token)).Span));
            Assert.Equal(
                task.IsLive ? null : task.State, (await backend.GetResultAsync(task.Id, TimeSpan.Zero, token))?.State);
        }

        foreach (var id in _ids.Where(id => Model.Find(id) is null))
        {
            Assert.Null(await Inspector.FindAsync(id, token));
        }

        var paused = (await Inspector.GetOverviewAsync(token)).PausedQueues;
        foreach (var queue in (string[])[Queue(0), Queue(1)])
        {
            Assert.Equal(Model.Paused.Contains(queue), paused.Contains(queue));
            var listed = await Inspector.ListAsync(new TaskFilter { Queue = queue }, TaskPage.MaxTasks, cancellationToken: token);
            Assert.Equal(
                Model.Tasks.Where(task => task.Queue == queue).Select(task => task.Id).OrderDescending(),
                listed.Tasks.Select(one => one.Id));
        }
    }

    /// <summary>A task whose time has come may be called scheduled until somebody asks for it.</summary>
    private TaskState StateOf(ModelTask task, TaskState found) => task.State switch
    {
        TaskState.Pending when task.Due > Model.Now => TaskState.Scheduled,
        TaskState.Pending when found == TaskState.Scheduled => TaskState.Scheduled,
        var state => state,
    };

    private static long? Milliseconds(DateTimeOffset? time) => time?.ToUnixTimeMilliseconds();

    private static long Milliseconds(DateTimeOffset time) => time.ToUnixTimeMilliseconds();
}
