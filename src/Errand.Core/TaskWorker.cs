using Errand.Diagnostics;
using Errand.Handlers;
using Errand.Middleware;
using Errand.Payloads;
using Errand.Running;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace Errand;

/// <summary>
/// Runs tasks: reserves as many as it has free slots, runs their handlers, and stores the outcomes. Thread-safe.
/// </summary>
/// <remarks>
/// A handler may run more than once for one task, because its process can die and its lease can run out. Make its effects safe to
/// repeat; <see cref="TaskContext.Id"/> is the same every time. Handlers that return a task run on the thread pool. The others, and those
/// that are marked as <see cref="LongRunningAttribute"/>, run on threads of the worker's own.
/// </remarks>
public sealed partial class TaskWorker : IAsyncDisposable, IDisposable
{
    /// <summary>How long a stop waits for handlers after their tokens were cancelled.</summary>
    private static readonly TimeSpan CancellationGrace = TimeSpan.FromSeconds(1);

    private readonly MeasuredBackend _backend;
    private readonly Dictionary<string, HandlerBinding> _handlers;
    private readonly TaskWorkerOptions _options;
    private readonly PayloadSerializer _serializer;
    private readonly IMiddlewareSource _middleware;
    private readonly ILogger _logger;
    private readonly HandlerThreads? _threads; // For handlers that block; null if there is none.
    private readonly ReportQueue _reports = new(); // Of the heartbeat thread.
    private readonly SemaphoreSlim _lifecycle = new(1); // Held by start, stop and dispose: one at a time.
    private Run? _run;
    private Task _abandoned = Task.CompletedTask; // Ends registrations whose start was cancelled. Under the lifecycle, as the next.
    private bool _disposed;

    /// <summary>Creates a worker on <paramref name="backend"/>. The caller disposes the backend, after the worker.</summary>
    /// <param name="backend">The store of the tasks.</param>
    /// <param name="handlers">The handlers, by task name. Tasks with other names are left to other workers.</param>
    /// <param name="options">Queues, concurrency, lease and the like. Default is null: all defaults.</param>
    /// <param name="logger">The worker's log. Default is null: none.</param>
    /// <exception cref="InvalidOptionsException">The options cannot work. The exception lists every problem.</exception>
    /// <exception cref="ArgumentException">
    /// The name of a payload belongs to another payload that a queue or worker of this backend knows, or has to be given and is not; or a
    /// payload or result would not come back from JSON as it went.
    /// </exception>
    public TaskWorker(
        IBackend backend, TaskHandlers handlers, TaskWorkerOptions? options = null, ILogger<TaskWorker>? logger = null)
    {
        ArgumentNullException.ThrowIfNull(backend);
        ArgumentNullException.ThrowIfNull(handlers);
        _backend = MeasuredBackend.Over(backend);
        _handlers = handlers.Copy();
        _logger = logger is null ? NullLogger.Instance : new QuietLogger(logger);
        options = (options ?? new TaskWorkerOptions()).Validated();
        _options = options with { TimeProvider = QuietClock.Over(options.TimeProvider, _logger) };
        _serializer = new PayloadSerializer(_options.Json, _options.MaxResultBytes);
        _middleware = options.MiddlewareSource ?? new GivenMiddleware([.. options.Middleware], [.. options.FailureHandlers]);
        _threads = _handlers.Values.Any(handler => handler.OwnsThread) ? new HandlerThreads() : null;
        foreach (var handler in _handlers.Values)
        {
            _backend.Names.Of(handler.Payload, _options.RequireTaskName);
            handler.Check(_serializer);
        }
    }

    /// <summary>Starts reserving and running tasks. Returns when the worker is registered in the store.</summary>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <exception cref="InvalidOperationException">The worker is already running.</exception>
    /// <exception cref="BackendException">The store cannot be used. The message says why.</exception>
    public async Task StartAsync(CancellationToken cancellationToken = default)
    {
        await _lifecycle.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            if (_run is not null)
            {
                throw new InvalidOperationException("The worker runs already; stop it before starting it again.");
            }

            var run = new Run(new WorkerSlots(_options.Concurrency), await BeginAsync(cancellationToken).ConfigureAwait(false));
            run.Start(RunAsync);
            _run = run;
        }
        finally
        {
            _lifecycle.Release();
        }
    }

    /// <summary>
    /// Stops the worker: it takes no more tasks, lets handlers finish for <see cref="TaskWorkerOptions.ShutdownGrace"/>, then cancels
    /// their tokens. Tasks whose handlers honor that are released, and their attempts are not charged. A handler that keeps running is
    /// left behind: its outcome is dropped, and its task starts again when the lease has run out. Does nothing if the worker is not
    /// running.
    /// </summary>
    /// <param name="cancellationToken">Ends the grace early. The rest of the stop still completes.</param>
    public async Task StopAsync(CancellationToken cancellationToken = default)
    {
        await _lifecycle.WaitAsync(CancellationToken.None).ConfigureAwait(false);
        try
        {
            if (_run is { } run)
            {
                _run = null;
                await DrainAsync(run, cancellationToken).ConfigureAwait(false);
            }

            await _abandoned.ConfigureAwait(false);
            await _reports.FlushAsync().ConfigureAwait(false);
        }
        finally
        {
            _lifecycle.Release();
        }
    }

    /// <summary>Stops the worker if it is running; see <see cref="StopAsync"/>.</summary>
    public async ValueTask DisposeAsync()
    {
        await StopAsync(CancellationToken.None).ConfigureAwait(false);
        _disposed = true;
    }

    /// <summary>Stops the worker as <see cref="DisposeAsync"/> does, and blocks until it has stopped.</summary>
    public void Dispose() => DisposeAsync().AsTask().GetAwaiter().GetResult();

    private async Task<WorkerIncarnation> BeginAsync(CancellationToken cancellationToken)
    {
        WorkerIncarnation? incarnation = null;
        var registration = new WorkerRegistration
        {
            Lease = _options.Lease,
            TaskNames = _handlers.Keys,
            Queues = _options.Queues,
            Concurrency = _options.Concurrency,
            CancelRequested = lease => Volatile.Read(ref incarnation)?.CancelTask(lease),
        };
        // A registration that was submitted is committed whether somebody waits for it or not.
        var beginning = _backend.BeginWorkerAsync(registration, CancellationToken.None).AsTask();
        try
        {
            await beginning.WaitAsync(cancellationToken).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            _abandoned = Task.WhenAll(_abandoned, EndAbandonedAsync(beginning));
            throw;
        }

        var owner = await beginning.ConfigureAwait(false);
        Log.WorkerStarted(_logger, owner.Value, _options.Concurrency, string.Join(", ", _options.Queues));
        Volatile.Write(ref incarnation, new WorkerIncarnation(_backend, owner, _options, _logger, _reports));
        return incarnation;
    }

    /// <summary>Nobody would ever end this worker: it would count as alive for as long as the process lives.</summary>
    private async Task EndAbandonedAsync(Task<WorkerId> beginning)
    {
        await ((Task)beginning).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        if (beginning.IsCompletedSuccessfully)
        {
            await EndAsync(await beginning.ConfigureAwait(false), release: true).ConfigureAwait(false);
        }
    }

    private async Task RunAsync(Run run)
    {
        var stopping = run.Stopping.Token;
        while (!stopping.IsCancellationRequested)
        {
            // Jitter: workers that lost the store at the same moment must not all reconnect at the same moment.
            var delay = TimeSpan.FromMilliseconds(Math.Min(30_000, 100 << Math.Min(run.Failures, 9)))
                * (0.5 + Backoff.Sample(run.Incarnation.Owner.Value, run.Failures));
            try
            {
                if (run.Incarnation.IsOver)
                {
                    run.Incarnation.Dispose();
                    run.Replace(await BeginAsync(CancellationToken.None).ConfigureAwait(false));
                }

                await ReserveAndStartAsync(run, stopping).ConfigureAwait(false);
                continue;
            }
            catch (OperationCanceledException) when (stopping.IsCancellationRequested || run.Incarnation.IsOver)
            {
                continue;
            }
            catch (WorkerLostException)
            {
                run.Incarnation.Lose(); // It says so itself.
            }
            catch (Exception e) when (e is BackendException or OperationCanceledException)
            {
                Log.ReserveFailed(_logger, delay, e);
            }
            catch (ObjectDisposedException)
            {
                Log.BackendDisposed(_logger);
                return;
            }
            catch (Exception e)
            {
                // The top of the loop: a worker that ends silently would be the worst fault of all.
                Log.WorkerFault(_logger, delay, e);
            }

            run.NoteFailure();
            await Task.Delay(delay, _options.TimeProvider, stopping)
                .ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private async Task ReserveAndStartAsync(Run run, CancellationToken stopping)
    {
        var incarnation = run.Incarnation;
        using var ending = CancellationTokenSource.CreateLinkedTokenSource(stopping, incarnation.Lost);
        var request = new ReserveRequest
        {
            Owner = incarnation.Owner,
            Queues = _options.Queues,
            MaxTasks = _options.Concurrency,
            // Zero as soon as we are stopping, because the cancelled wait may still be filled before it ends.
            FreeSlots = () => stopping.IsCancellationRequested ? 0 : run.FreeSlots,
            Started = tasks => Deliver(run, incarnation, tasks),
            Wait = _options.Lease,
        };
        var reconciledAt = _options.TimeProvider.GetTimestamp();
        while (!ending.IsCancellationRequested)
        {
            // One request at a time, so what is free cannot be given away twice.
            var tasks = await _backend.ReserveAsync(request, ending.Token).ConfigureAwait(false);
            run.NoteAnswer();
            if (tasks.Any(static task => task.WasLost))
            {
                run.NoteLost(true);
                tasks = await StartableOfAsync(tasks).ConfigureAwait(false);
                Start(run, incarnation, tasks);
            }
            else if (tasks.Count > 0)
            {
                Deliver(run, incarnation, tasks); // By a backend that hands nothing over.
            }

            if (_options.TimeProvider.GetElapsedTime(reconciledAt) >= _options.Lease)
            {
                await ReconcileAsync(incarnation, ending.Token).ConfigureAwait(false);
                reconciledAt = _options.TimeProvider.GetTimestamp();
            }
        }
    }

    private void Deliver(Run run, WorkerIncarnation incarnation, IReadOnlyList<ReservedTask> tasks)
    {
        run.NoteAnswer();
        run.NoteLost(false);
        Start(run, incarnation, tasks);
    }

    /// <summary>
    /// A task that was lost before may be the one that ends its process: nothing new runs beside it, so that it fails alone. The first
    /// task decides; those that cannot be started with it are released, uncharged, before anything starts that may end the process.
    /// </summary>
    private async Task<IReadOnlyList<ReservedTask>> StartableOfAsync(IReadOnlyList<ReservedTask> tasks)
    {
        var (now, others) = tasks[0].WasLost
            ? ([tasks[0]], tasks.Skip(1))
            : (tasks.Where(task => !task.WasLost).ToArray(), tasks.Where(task => task.WasLost));
        Task[] releases =
        [
            .. others.Select(task => _backend.SettleAsync(task.Lease, new Settlement.Released(), CancellationToken.None).AsTask()),
        ];
        await ((Task)Task.WhenAll(releases)).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing); // The next reconcile releases the rest.
        return now;
    }

    /// <summary>Between two reserves: a task that this worker owns without knowing it was lost on its way here.</summary>
    private async Task ReconcileAsync(WorkerIncarnation incarnation, CancellationToken cancellationToken)
    {
        var known = incarnation.Running().Select(execution => execution.Reserved.Lease.Id).ToHashSet();
        var strays = await _backend.ReconcileAsync(incarnation.Owner, known, cancellationToken).ConfigureAwait(false);
        if (strays > 0)
        {
            Log.StraysGivenBack(_logger, incarnation.Owner.Value, strays);
        }
    }

    /// <summary>
    /// Takes the slots of tasks that were started, at once, and has their handlers run. On a thread of the backend's: it calls nothing of
    /// the user's.
    /// </summary>
    private void Start(Run run, WorkerIncarnation incarnation, IReadOnlyList<ReservedTask> tasks)
    {
        var executions = Take(run, incarnation, tasks);
        if (_threads is null)
        {
            WorkBatch.Queue(executions);
            return;
        }

        WorkBatch.Queue(Array.FindAll(executions, static execution => !execution.OwnsThread));
        foreach (var execution in executions.Where(static execution => execution.OwnsThread))
        {
            _threads.Run(execution);
        }
    }

    private TaskExecution[] Take(Run run, WorkerIncarnation incarnation, IReadOnlyList<ReservedTask> tasks)
    {
        var executions = new TaskExecution[tasks.Count];
        for (var i = 0; i < executions.Length; i++)
        {
            executions[i] = new TaskExecution(
                _backend, tasks[i], _handlers[tasks[i].Name], _middleware, _serializer, incarnation, run.Slots, _options, _logger);
        }

        run.Slots.Take(tasks);
        incarnation.Add(executions);
        return executions;
    }

    private async Task DrainAsync(Run run, CancellationToken cancellationToken)
    {
        await run.Stopping.CancelAsync().ConfigureAwait(false);
        await run.Loop.ConfigureAwait(false);

        var empty = run.Slots.WhenEmptyAsync();
        if (!await EndsWithinAsync(empty, _options.ShutdownGrace, cancellationToken).ConfigureAwait(false))
        {
            run.Incarnation.CancelRunning(CancelReason.Stopping);
            await EndsWithinAsync(empty, CancellationGrace, CancellationToken.None).ConfigureAwait(false);
        }

        foreach (var execution in run.Incarnation.Running())
        {
            var left = execution.Reserved;
            Log.HandlerLeftBehind(_logger, run.Incarnation.Owner.Value, left.Lease.Id.Value, left.Name, left.Attempt);
        }

        run.Incarnation.Dispose();
        await EndAsync(run.Incarnation.Owner, release: empty.IsCompleted).ConfigureAwait(false);
        run.Stopping.Dispose();
    }

    private async Task EndAsync(WorkerId owner, bool release)
    {
        try
        {
            await _backend.EndWorkerAsync(owner, release, CancellationToken.None).ConfigureAwait(false);
            Log.WorkerStopped(_logger, owner.Value);
        }
        catch (Exception e)
        {
            // A backend may throw anything, and a stop ends all the same.
            Log.EndFailed(_logger, owner.Value, e);
        }
    }

    private async Task<bool> EndsWithinAsync(Task task, TimeSpan time, CancellationToken cancellationToken)
    {
        await task.WaitAsync(time, _options.TimeProvider, cancellationToken)
            .ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        return task.IsCompleted;
    }

    /// <summary>From a start of the worker to its stop.</summary>
    private sealed class Run(WorkerSlots slots, WorkerIncarnation incarnation)
    {
        private int _failures;
        private volatile bool _wereLost;

        internal WorkerSlots Slots { get; } = slots;

        internal CancellationTokenSource Stopping { get; } = new();

        // Written by the loop alone; stop reads it when the loop has ended.
        internal WorkerIncarnation Incarnation { get; private set; } = incarnation;

        internal Task Loop { get; private set; } = Task.CompletedTask;

        // Failures of the store since it last answered, which the wait for the next try grows with.
        internal int Failures => Volatile.Read(ref _failures);

        /// <summary>How many tasks it may be given now. One after tasks that were lost: lost together, they come back together.</summary>
        internal int FreeSlots => _wereLost ? Math.Min(1, Slots.Free) : Slots.Free;

        internal void Start(Func<Run, Task> loop) => Loop = Task.Run(() => loop(this), CancellationToken.None);

        /// <summary>The incarnation is over, and another one continues.</summary>
        internal void Replace(WorkerIncarnation next) => Incarnation = next;

        internal void NoteFailure() => Interlocked.Increment(ref _failures);

        internal void NoteAnswer() => Volatile.Write(ref _failures, 0);

        /// <summary>Whether tasks of the last delivery had been lost before.</summary>
        internal void NoteLost(bool wereLost) => _wereLost = wereLost;
    }
}
