using System.Text;
using FsCheck;
using FsCheck.Fluent;

namespace Errand.Contract;

/// <summary>
/// One call to a store, with the answer that the model predicts. Whom it is about is a number that picks among what there is then, so
/// that a sequence makes sense whatever is left out of it.
/// </summary>
internal abstract record StoreStep
{
    private static readonly Gen<int> Pick = Gen.Frequency((6, Gen.Constant(0)), (4, Gen.Choose(0, 3)), (1, Gen.Choose(0, 50)));

    private static readonly Gen<TimeSpan> Short = Gen.Elements(
        TimeSpan.Zero, TimeSpan.FromTicks(1), TimeSpan.FromMilliseconds(1), TimeSpan.FromMilliseconds(1.5), TimeSpan.FromSeconds(1),
        TimeSpan.FromSeconds(10));

    /// <summary>Mostly steps that lead a task on, so that sequences come far.</summary>
    internal static Gen<StoreStep> Any { get; } = Gen.Frequency(
        (12, AnyEnqueue().Select(enqueue => (StoreStep)enqueue)),
        (4, Pick.Zip(AnyEnqueue(), (worker, enqueue) => (StoreStep)new EnqueueToWaiting(worker, enqueue))),
        (1, Pick.Select(pick => (StoreStep)new EnqueueAgain(pick))),
        (14, from worker in Pick
             from queue in Gen.Choose(0, 1)
             from max in Gen.Choose(1, 3)
             select (StoreStep)new Reserve(worker, queue, max)),
        (3, Pick.Select(pick => (StoreStep)new Succeed(pick))),
        (6, from pick in Pick
            from retry in Gen.OneOf(Gen.Constant<TimeSpan?>(null), Short.Select(time => (TimeSpan?)time))
            select (StoreStep)new Fail(pick, retry)),
        (3, Pick.Zip(Short, (pick, delay) => (StoreStep)new Snooze(pick, delay))),
        (3, Pick.Select(pick => (StoreStep)new Release(pick))),
        (3, Pick.Select(pick => (StoreStep)new MarkCancelled(pick))),
        (4, Pick.Zip(Gen.Choose(0, 4), (pick, quarters) => (StoreStep)new Report(pick, quarters / 4.0))),
        (4, Pick.Zip(Gen.Choose(0, 9), (pick, digit) => (StoreStep)new SaveCheckpoint(pick, digit))),
        (4, Pick.Select(pick => (StoreStep)new Hold(pick))),
        (8, Pick.Select(pick => (StoreStep)new Cancel(pick))),
        (3, Pick.Select(pick => (StoreStep)new Retry(pick))),
        (1, Gen.Choose(0, 1).Select(queue => (StoreStep)new RetryFailed(queue))),
        (4, Pick.Select(pick => (StoreStep)new Delete(pick))),
        (1, Gen.Choose(0, 1).Select(queue => (StoreStep)new Pause(queue))),
        (2, Gen.Choose(0, 1).Select(queue => (StoreStep)new Resume(queue))),
        (1, Gen.Choose(0, 1).Select(worker => (StoreStep)new Reconcile(worker))),
        (1, Gen.Choose(0, 1).Select(worker => (StoreStep)new EndWorker(worker))),
        (6, Gen.Elements(1, 2, 999, 1_000, 5_000, 10_000).Select(time => (StoreStep)new Advance(TimeSpan.FromMilliseconds(time)))));

    internal abstract Task TakeAsync(StoreRun run);

    private static Gen<Enqueue> AnyEnqueue() =>
        from name in Gen.Choose(0, 1)
        from queue in Gen.Choose(0, 1)
        from priority in Gen.Choose(-1, 1)
        from delay in Gen.Frequency((3, Gen.Constant<TimeSpan?>(null)), (1, Short.Select(time => (TimeSpan?)time)))
        from due in Gen.Frequency((6, Gen.Constant<int?>(null)), (1, Gen.Elements<int?>(-5_000, 0, 1, 1_000)))
        from expires in Gen.Frequency((3, Gen.Constant<int?>(null)), (1, Gen.Elements<int?>(0, 1, 1_000, 10_000)))
        from key in Gen.Frequency((2, Gen.Constant<string?>(null)), (2, Gen.Elements<string?>("k", "K")))
        from period in Gen.Frequency((3, Gen.Constant<TimeSpan?>(null)), (1, Gen.Constant<TimeSpan?>(TimeSpan.FromSeconds(5))))
        select new Enqueue(
            name, queue, priority, delay, delay is null ? due : null, expires, key, key is null ? null : period);

    internal sealed record Enqueue(
        int Name, int Queue, int Priority, TimeSpan? Delay, int? DueIn, int? ExpiresIn, string? Key, TimeSpan? For) : StoreStep
    {
        internal override async Task TakeAsync(StoreRun run)
        {
            var now = run.Clock.GetUtcNow();
            var task = new NewTask
            {
                Name = run.Name(Name), Queue = run.Queue(Queue), Priority = Priority, Delay = Delay, UniqueKey = Key, UniqueFor = For,
                DueAt = DueIn is { } due ? now.AddMilliseconds(due) : null,
                ExpiresAt = ExpiresIn is { } expires ? now.AddMilliseconds(expires) : null,
                Payload = "{}"u8.ToArray(),
            };
            var holder = run.Model.HolderOf(task.Name, task.UniqueKey);
            run.Meet(this, holder switch
            {
                null => "new",
                { } taken => run.Model.Find(taken) is { IsLive: true } ? "key of a live task" : "key for a time",
            });

            var answer = Assert.Single(await run.Backend.EnqueueAsync([task], run.Token));

            Assert.Equal(holder is null, answer.IsNew);
            if (holder is { } id)
            {
                Assert.Equal(id, answer.Id);
                return;
            }

            Assert.Null(run.Model.Find(answer.Id));
            run.Model.Add(answer.Id, task);
            run.NoteId(answer.Id);
        }
    }

    internal sealed record EnqueueAgain(int Task) : StoreStep
    {
        internal override async Task TakeAsync(StoreRun run)
        {
            if (run.Id(Task) is { } id && run.Model.Find(id) is not null)
            {
                var task = new NewTask { Id = id, Name = run.Name(0), Queue = run.Queue(0), Payload = "{}"u8.ToArray() };
                Assert.Equal(new EnqueuedTask { Id = id, IsNew = false }, Assert.Single(await run.Backend.EnqueueAsync([task], run.Token)));
            }
        }
    }

    internal sealed record Reserve(int Worker, int Queue, int Max) : StoreStep
    {
        internal override async Task TakeAsync(StoreRun run)
        {
            var owner = run.Worker(Worker);
            var request = new ReserveRequest { Owner = owner, MaxTasks = Max, Wait = TimeSpan.Zero, Queues = [run.Queue(Queue)] };
            var expected = run.Model.Start(run.Queue(Queue), Max, owner);
            run.Receive(expected, await run.Backend.ReserveAsync(request, run.Token));
        }
    }

    /// <summary>A worker waits, and a task is enqueued: it is handed over, unless the worker got another or the task has to wait.</summary>
    internal sealed record EnqueueToWaiting(int Worker, Enqueue New) : StoreStep
    {
        internal override async Task TakeAsync(StoreRun run)
        {
            var (owner, queue) = (run.Worker(Worker), run.Queue(New.Queue));
            using var cancellation = CancellationTokenSource.CreateLinkedTokenSource(run.Token);
            var request = new ReserveRequest { Owner = owner, MaxTasks = 1, Queues = [queue] };
            var waiting = run.Backend.ReserveAsync(request, cancellation.Token).AsTask();
            var ready = run.Model.Start(queue, 1, owner);
            if (ready.Count > 0)
            {
                run.Receive(ready, await waiting); // Before the enqueue: one of a higher priority would be given in its place.
            }

            await New.TakeAsync(run);
            if (ready.Count == 0)
            {
                var given = run.Model.Start(queue, 1, owner);
                run.Meet(this, given.Count > 0 ? "handed over" : "waits");
                if (given.Count > 0)
                {
                    run.Receive(given, await waiting);
                    return;
                }

                await cancellation.CancelAsync();
                await Assert.ThrowsAnyAsync<OperationCanceledException>(() => waiting);
            }
        }
    }

    /// <summary>A step under a lease, which may have been lost long ago.</summary>
    internal abstract record Leased(int Lease) : StoreStep
    {
        internal override async Task TakeAsync(StoreRun run)
        {
            if (run.LeaseOf(Lease) is { } lease)
            {
                var held = run.Model.Held(lease);
                run.Meet(this, held is null ? "lost" : held.CancelAsked ? "to be cancelled" : "held");
                Assert.Equal(held is not null, await CallAsync(run, lease));
                if (held is not null)
                {
                    Change(run.Model, held);
                }
            }
        }

        protected abstract ValueTask<bool> CallAsync(StoreRun run, TaskLease lease);

        protected abstract void Change(StoreModel model, ModelTask task);
    }

    internal sealed record Succeed(int Lease) : Leased(Lease)
    {
        protected override ValueTask<bool> CallAsync(StoreRun run, TaskLease lease) =>
            run.Backend.MarkSuccessAsync(lease, "1"u8.ToArray(), run.Token);

        protected override void Change(StoreModel model, ModelTask task) => model.End(task, TaskState.Succeeded);
    }

    internal sealed record Fail(int Lease, TimeSpan? RetryAfter) : Leased(Lease)
    {
        protected override ValueTask<bool> CallAsync(StoreRun run, TaskLease lease) =>
            run.Backend.MarkFailureAsync(lease, "no", RetryAfter, run.Token);

        protected override void Change(StoreModel model, ModelTask task) => model.Fail(task, RetryAfter);
    }

    internal sealed record Snooze(int Lease, TimeSpan Delay) : Leased(Lease)
    {
        protected override ValueTask<bool> CallAsync(StoreRun run, TaskLease lease) =>
            run.Backend.SnoozeAsync(lease, Delay, run.Token);

        protected override void Change(StoreModel model, ModelTask task) => model.GiveBack(task, Delay);
    }

    internal sealed record Release(int Lease) : Leased(Lease)
    {
        protected override ValueTask<bool> CallAsync(StoreRun run, TaskLease lease) => run.Backend.ReleaseAsync(lease, run.Token);

        protected override void Change(StoreModel model, ModelTask task) => model.GiveBack(task);
    }

    internal sealed record MarkCancelled(int Lease) : Leased(Lease)
    {
        protected override ValueTask<bool> CallAsync(StoreRun run, TaskLease lease) =>
            run.Backend.MarkCancelledAsync(lease, "gave up", run.Token);

        protected override void Change(StoreModel model, ModelTask task) => model.End(task, TaskState.Cancelled);
    }

    internal sealed record Report(int Lease, double Fraction) : Leased(Lease)
    {
        protected override ValueTask<bool> CallAsync(StoreRun run, TaskLease lease) =>
            run.Backend.ReportProgressAsync(lease, Fraction, null, run.Token);

        protected override void Change(StoreModel model, ModelTask task) => task.Progress = Fraction;
    }

    internal sealed record SaveCheckpoint(int Lease, int Digit) : Leased(Lease)
    {
        protected override ValueTask<bool> CallAsync(StoreRun run, TaskLease lease) =>
            run.Backend.SaveCheckpointAsync(lease, Encoding.UTF8.GetBytes($"{Digit}"), run.Token);

        protected override void Change(StoreModel model, ModelTask task) => task.Checkpoint = $"{Digit}";
    }

    internal sealed record Hold(int Lease) : Leased(Lease)
    {
        protected override ValueTask<bool> CallAsync(StoreRun run, TaskLease lease) => run.Backend.HoldsAsync(lease, run.Token);

        protected override void Change(StoreModel model, ModelTask task)
        {
        }
    }

    /// <summary>A step about a task by its id, which may have been deleted.</summary>
    internal abstract record OfTask(int Task) : StoreStep
    {
        internal override async Task TakeAsync(StoreRun run)
        {
            if (run.Id(Task) is { } id)
            {
                run.Meet(this, $"{run.Model.Find(id)?.State.ToString() ?? "Deleted"}");
                await (run.Model.Find(id) is { } task
                    ? CompareAsync(run, task)
                    : Assert.ThrowsAsync<TaskNotFoundException>(() => CallAsync(run, id)));
            }
        }

        protected abstract Task CompareAsync(StoreRun run, ModelTask task);

        protected abstract Task CallAsync(StoreRun run, TaskId id);
    }

    internal sealed record Cancel(int Task) : OfTask(Task)
    {
        protected override async Task CompareAsync(StoreRun run, ModelTask task) =>
            Assert.Equal(run.Model.Cancel(task), await run.Backend.CancelAsync(task.Id, run.Token));

        protected override Task CallAsync(StoreRun run, TaskId id) => run.Backend.CancelAsync(id, run.Token).AsTask();
    }

    internal sealed record Retry(int Task) : OfTask(Task)
    {
        protected override async Task CompareAsync(StoreRun run, ModelTask task)
        {
            var expected = run.Model.Retry(task);
            var answer = await run.Inspector.RetryAsync(task.Id, run.Token);
            Assert.Equal(expected ?? answer, answer);
        }

        protected override Task CallAsync(StoreRun run, TaskId id) => run.Inspector.RetryAsync(id, run.Token).AsTask();
    }

    internal sealed record Delete(int Task) : OfTask(Task)
    {
        protected override async Task CompareAsync(StoreRun run, ModelTask task)
        {
            Assert.Equal(task.State != TaskState.Running, await run.Inspector.DeleteAsync(task.Id, run.Token));
            if (task.State != TaskState.Running)
            {
                run.Model.Tasks.Remove(task);
            }
        }

        protected override Task CallAsync(StoreRun run, TaskId id) => run.Inspector.DeleteAsync(id, run.Token).AsTask();
    }

    /// <summary>Those that failed first go first: of two that share a key, the first gets it.</summary>
    internal sealed record RetryFailed(int Queue) : StoreStep
    {
        internal override async Task TakeAsync(StoreRun run)
        {
            var failed = run.Model.Tasks.Where(task => task.State == TaskState.Failed && task.Queue == run.Queue(Queue))
                .OrderBy(task => task.FinishedAt).ThenBy(task => task.Id).ToArray();
            var expected = failed.Count(task => run.Model.Retry(task) == true);
            run.Meet(this, expected == failed.Length ? "all" : "some");
            Assert.Equal(expected, await run.Inspector.RetryAsync(new TaskFilter { Queue = run.Queue(Queue) }, run.Token));
        }
    }

    internal sealed record Pause(int Queue) : StoreStep
    {
        internal override async Task TakeAsync(StoreRun run) => Assert.Equal(
            run.Model.Paused.Add(run.Queue(Queue)), await run.Inspector.PauseAsync(run.Queue(Queue), run.Token));
    }

    internal sealed record Resume(int Queue) : StoreStep
    {
        internal override async Task TakeAsync(StoreRun run) => Assert.Equal(
            run.Model.Paused.Remove(run.Queue(Queue)), await run.Inspector.ResumeAsync(run.Queue(Queue), run.Token));
    }

    /// <summary>A worker that knows of none of its tasks.</summary>
    internal sealed record Reconcile(int Worker) : StoreStep
    {
        internal override async Task TakeAsync(StoreRun run) => Assert.Equal(
            run.Model.GiveBackAllOf(run.Worker(Worker)),
            await run.Backend.ReconcileAsync(run.Worker(Worker), new HashSet<TaskId>(), run.Token));
    }

    /// <summary>A worker ends in order, and another takes its place.</summary>
    internal sealed record EndWorker(int Worker) : StoreStep
    {
        internal override async Task TakeAsync(StoreRun run)
        {
            var owner = run.Worker(Worker);
            run.Model.GiveBackAllOf(owner);
            await run.Backend.EndWorkerAsync(owner, release: true, run.Token);
            Assert.False(run.Backend.Heartbeat(owner));
            await run.BeginWorkerAsync(Worker);
        }
    }

    internal sealed record Advance(TimeSpan Time) : StoreStep
    {
        internal override async Task TakeAsync(StoreRun run)
        {
            run.Clock.Advance(Time);
            await run.Backend.InitializeAsync(run.Token);
        }
    }
}
