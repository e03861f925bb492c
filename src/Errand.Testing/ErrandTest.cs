using System.Diagnostics;
using System.Globalization;
using Errand.Hosting;
using Errand.Payloads;
using Errand.Running;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Time.Testing;

namespace Errand.Testing;

/// <summary>
/// A queue with its store in memory, its worker and their clock, for one test. Nothing runs by itself: <see cref="DrainAsync"/> runs
/// the tasks that are due, <see cref="AdvanceAsync"/> lets time pass, and both return when nothing is left to do.
/// </summary>
/// <remarks>
/// <para>
/// The engine and the pipeline of attempts are those of production: retries, back-off, timeouts, snoozes, expiry and unique keys
/// behave the same. Only retention differs: finished tasks are kept for 3,650 days of the clock.
/// </para>
/// <para>
/// Over a host whose services were given <c>AddErrandTesting</c> it is a service of that host, and its queue, handlers and workers are
/// those of <c>AddErrand</c>.
/// </para>
/// <para>
/// A task enqueued in a transaction of the caller's exists from its commit on, and never if it is rolled back. The transaction is an
/// SqliteTransaction or an NpgsqlTransaction on any database; Entity Framework Core has one of the two.
/// </para>
/// <para>
/// Time stands still while a handler runs, unless the handler moves it. If a handler waits for the clock or for its timeout, do not
/// await the drain at once: move <see cref="Clock"/> meanwhile.
/// </para>
/// <para>
/// Two instances share nothing. An instance is thread-safe, but drains once at a time.
/// </para>
/// </remarks>
public sealed partial class ErrandTest : IAsyncDisposable, IDisposable
{
    private readonly ErrandTestOptions _options;
    private readonly RecordingBackend _backend;
    private readonly TaskQueue _queue;
    private readonly TaskWorker[] _workers;
    private readonly bool _isOfHost; // The host disposes the queue and the store then.
    private readonly PayloadSerializer _serializer;
    private readonly TaskNames _names = new();
    private readonly Lock _lock = new();
    private readonly List<RanAttempt> _attempts = []; // Under the lock.
    private int _isDraining; // Set and cleared by whoever drains.

    /// <summary>Creates the parts of a test.</summary>
    /// <param name="handlers">The handlers under test. Default is null: none, for a test of what is enqueued.</param>
    /// <param name="options">Clock, worker and bounds. Default is null: all defaults.</param>
    /// <param name="logger">The log of the worker. Default is null: none.</param>
    /// <exception cref="InvalidOptionsException">The options cannot work. The exception lists every problem.</exception>
    public ErrandTest(TaskHandlers? handlers = null, ErrandTestOptions? options = null, ILogger<TaskWorker>? logger = null)
    {
        _options = (options ?? new ErrandTestOptions()).Validated();
        Clock = _options.Clock ?? new FakeTimeProvider();
        var worker = _options.Worker ?? new TaskWorkerOptions { Queues = ["*"] };
        _backend = RecordingBackend.InMemory(Clock);
        _queue = new TaskQueue(_backend, _options.Queue);
        _workers = [new TaskWorker(_backend, handlers ?? new TaskHandlers(), worker with { TimeProvider = Clock }, logger)];
        _serializer = new PayloadSerializer(_options.Queue.Json, _options.Queue.MaxPayloadBytes);
    }

    /// <summary>The parts of a host that <c>AddErrand</c> has put together, over the store of the test.</summary>
    internal ErrandTest(ErrandTestOptions options, FakeTimeProvider clock, ErrandParts parts, TaskQueue queue)
    {
        _options = options;
        _isOfHost = true;
        Clock = clock;
        _backend = (RecordingBackend)parts.Backend;
        _queue = queue;
        _workers = [.. parts.Workers.Select(worker => parts.NewWorker(worker, clock))];
        _serializer = new PayloadSerializer(parts.Queue.Json, parts.Queue.MaxPayloadBytes);
    }

    /// <summary>The queue, for the code under test. Handlers may enqueue with it too.</summary>
    public ITaskQueue Queue => _queue;

    /// <summary>Inspection and administration of the store: pause a queue; find, retry or delete a task.</summary>
    public IQueueInspector Inspector => _backend.Inspector;

    /// <summary>
    /// The clock of all parts; give it to the code under test as well. <see cref="AdvanceAsync"/> moves it. A test may also move it
    /// itself and then run the tasks that have become due with <see cref="DrainAsync"/>, at the new time.
    /// </summary>
    public FakeTimeProvider Clock { get; }

    /// <summary>Every attempt that was run, in order.</summary>
    public IReadOnlyList<RanAttempt> Attempts
    {
        get
        {
            lock (_lock)
            {
                return [.. _attempts];
            }
        }
    }

    /// <summary>
    /// Runs every task that is due, one by one in the order in which they are offered, and the tasks that their handlers enqueue,
    /// until none is due. An exception of a handler is settled as in production and not thrown here: see <see cref="Attempts"/>.
    /// </summary>
    /// <param name="cancellationToken">Ends the call. A running handler is left behind.</param>
    /// <returns>How many attempts were run.</returns>
    /// <exception cref="ErrandTestException">
    /// More than <see cref="ErrandTestOptions.MaxAttempts"/> were run, or a handler has not returned within
    /// <see cref="ErrandTestOptions.HandlerLimit"/>.
    /// </exception>
    /// <exception cref="InvalidOperationException">A drain is under way.</exception>
    public Task<int> DrainAsync(CancellationToken cancellationToken = default) =>
        AdvanceAsync(TimeSpan.Zero, cancellationToken);

    /// <summary>
    /// Lets time pass: runs the tasks that are due, moves the clock to the next time at which a task becomes due, runs those, and so
    /// on until the time has passed. Delays, retries and snoozes end exactly at their time, to the millisecond.
    /// </summary>
    /// <param name="time">How much time. Zero runs only tasks that are due now.</param>
    /// <param name="cancellationToken">Ends the call. A running handler is left behind.</param>
    /// <returns>How many attempts were run.</returns>
    /// <exception cref="ArgumentOutOfRangeException">The time is negative, or goes past the year 9999.</exception>
    /// <exception cref="ErrandTestException">
    /// See <see cref="DrainAsync"/>; the bound is on all attempts of this call.
    /// </exception>
    /// <exception cref="InvalidOperationException">A drain is under way.</exception>
    public async Task<int> AdvanceAsync(TimeSpan time, CancellationToken cancellationToken = default)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(time, TimeSpan.Zero);
        var until = Clock.GetUtcNow() + time;
        Begin();
        try
        {
            var ran = await RunDueAsync(0, cancellationToken).ConfigureAwait(false);
            while (_backend.NextTime(Clock.GetUtcNow(), until) is { } next)
            {
                MoveTo(next);
                ran = await RunDueAsync(ran, cancellationToken).ConfigureAwait(false);
            }

            MoveTo(until);
            return await RunDueAsync(ran, cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            Volatile.Write(ref _isDraining, 0);
        }
    }

    /// <summary>
    /// Ends the test: the store and everything in it are gone, and the token of a handler that still runs is cancelled.
    /// </summary>
    public async ValueTask DisposeAsync()
    {
        foreach (var worker in _workers)
        {
            worker.Abandon();
        }

        if (!_isOfHost)
        {
            await _queue.DisposeAsync().ConfigureAwait(false);
            await _backend.DisposeAsync().ConfigureAwait(false);
        }
    }

    /// <inheritdoc cref="DisposeAsync"/>
    public void Dispose() => DisposeAsync().AsTask().GetAwaiter().GetResult();

    private void Begin()
    {
        if (Interlocked.Exchange(ref _isDraining, 1) == 1)
        {
            throw new InvalidOperationException(
                "A drain is under way. Await it first; while a handler waits for time to pass, move Clock itself.");
        }
    }

    /// <summary>A handler may have moved the clock past it.</summary>
    private void MoveTo(DateTimeOffset time)
    {
        if (time > Clock.GetUtcNow())
        {
            Clock.SetUtcNow(time);
        }
    }

    /// <returns>How many attempts this call has run, with those that it ran <paramref name="before"/>.</returns>
    private async Task<int> RunDueAsync(int before, CancellationToken cancellationToken)
    {
        var ran = before;
        while (await StartOneAsync(cancellationToken).ConfigureAwait(false) is var (task, outcome))
        {
            await EndAsync(task, outcome, cancellationToken).ConfigureAwait(false);
            if (++ran > _options.MaxAttempts)
            {
                throw new ErrandTestException(string.Create(
                    CultureInfo.InvariantCulture,
                    $"More than {_options.MaxAttempts:N0} attempts were run, the last of task {task.Lease.Id} ('{task.Name}'), "
                    + $"and there may be more: does a handler enqueue itself for ever? Else raise "
                    + $"{nameof(ErrandTestOptions)}.{nameof(_options.MaxAttempts)}."));
            }
        }

        return ran;
    }

    /// <summary>One task at a time, whichever worker it is for.</summary>
    private async Task<(ReservedTask Task, Task<AttemptOutcome> Outcome)?> StartOneAsync(CancellationToken cancellationToken)
    {
        foreach (var worker in _workers)
        {
            if (await worker.StartOneAsync(cancellationToken).ConfigureAwait(false) is { } started)
            {
                return started;
            }
        }

        return null;
    }

    private async Task<AttemptOutcome> EndAsync(
        ReservedTask task, Task<AttemptOutcome> outcome, CancellationToken cancellationToken)
    {
        var started = Clock.GetUtcNow();
        var ended = await WithinLimitAsync(task, outcome, cancellationToken).ConfigureAwait(false);
        lock (_lock)
        {
            _attempts.Add(new RanAttempt
            {
                Id = task.Lease.Id,
                Name = task.Name,
                Queue = task.Queue,
                Attempt = task.Attempt,
                Epoch = task.Lease.Epoch,
                StartedAt = started,
                Exception = ended.Error,
            });
        }

        return ended;
    }

    private async Task<AttemptOutcome> WithinLimitAsync(
        ReservedTask task, Task<AttemptOutcome> outcome, CancellationToken cancellationToken)
    {
        var limit = Debugger.IsAttached ? Timeout.InfiniteTimeSpan : _options.HandlerLimit;
        try
        {
            return await outcome.WaitAsync(limit, TimeProvider.System, cancellationToken).ConfigureAwait(false);
        }
        catch (TimeoutException) when (!outcome.IsFaulted)
        {
            throw new ErrandTestException(
                $"The handler of task {task.Lease.Id} ('{task.Name}', attempt {task.Attempt}) has not returned within {limit} "
                + "of real time. Time stands still while it runs: when it waits for the clock or for its timeout, "
                + "do not await the drain at once, and move Clock meanwhile. "
                + $"Else raise {nameof(ErrandTestOptions)}.{nameof(_options.HandlerLimit)}.");
        }
    }
}
