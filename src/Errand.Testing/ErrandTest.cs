using System.Diagnostics;
using System.Globalization;
using Errand.Payloads;
using Errand.Sqlite;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Time.Testing;

namespace Errand.Testing;

/// <summary>
/// A queue, its store in memory, its worker and their clock, for one test. Nothing runs by itself:
/// <see cref="DrainAsync"/> runs what is due, <see cref="AdvanceAsync"/> lets time pass, and both return when there is
/// nothing left to do.
/// </summary>
/// <remarks>
/// <para>
/// It is the engine that production has, and attempts go through the same pipeline: retries, back-off, timeouts,
/// snoozes, expiry and unique keys behave as they will there. What memory cannot do is refused as there: transactions
/// of the caller's. Retention alone differs: what has ended is kept for 3,650 days of the clock.
/// </para>
/// <para>
/// Time stands still while a handler runs, unless the handler moves it. One that waits for the clock or for its timeout
/// is helped on by a test that does not await the drain at once, and moves <see cref="Clock"/> meanwhile.
/// </para>
/// <para>
/// Two of these know nothing of one another. One is thread-safe, but drains once at a time.
/// </para>
/// </remarks>
public sealed partial class ErrandTest : IAsyncDisposable
{
    private readonly ErrandTestOptions _options;
    private readonly SqliteBackend _engine;
    private readonly RecordingBackend _backend;
    private readonly TaskQueue _queue;
    private readonly TaskWorker _worker;
    private readonly PayloadSerializer _serializer;
    private readonly TaskNames _names = new();
    private readonly Lock _lock = new();
    private readonly List<RanAttempt> _attempts = []; // Under the lock.
    private int _isDraining; // Set and cleared by whoever drains.

    /// <summary>Makes the parts of a test.</summary>
    /// <param name="handlers">The handlers under test. Default is null: none, for a test of what is enqueued.</param>
    /// <param name="options">Clock, worker and bounds. Default is null: every default.</param>
    /// <param name="logger">Where the worker reports. Default is null: nowhere.</param>
    /// <exception cref="InvalidOptionsException">The options cannot work; it lists all that is wrong.</exception>
    public ErrandTest(TaskHandlers? handlers = null, ErrandTestOptions? options = null, ILogger<TaskWorker>? logger = null)
    {
        _options = (options ?? new ErrandTestOptions()).Validated();
        Clock = _options.Clock ?? new FakeTimeProvider();
        var worker = _options.Worker ?? new TaskWorkerOptions { Queues = ["*"] };
        _engine = new SqliteBackend(
            ":memory:", new SqliteBackendOptions { TimeProvider = Clock, Retention = TimeSpan.FromDays(3650) });
        _backend = new RecordingBackend(_engine, Clock);
        _queue = new TaskQueue(_backend, _options.Queue);
        _worker = new TaskWorker(_backend, handlers ?? new TaskHandlers(), worker with { TimeProvider = Clock }, logger);
        _serializer = new PayloadSerializer(_options.Queue.Json, _options.Queue.MaxPayloadBytes);
    }

    /// <summary>The queue, for the code under test. Handlers may enqueue with it too.</summary>
    public ITaskQueue Queue => _queue;

    /// <summary>The store as an operator sees it: to pause a queue, look at a task, retry or delete it.</summary>
    public IQueueInspector Inspector => _engine;

    /// <summary>
    /// The clock of everything here; give it to the code under test as well. Moved by <see cref="AdvanceAsync"/>; a
    /// test may move it by itself, and then runs what has become due with <see cref="DrainAsync"/>, at the time to
    /// which it was moved.
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
    /// Runs every task that is due, one after the other in the order in which they are offered, and those that their
    /// handlers enqueue, until none is due. What a handler throws is settled as in production, and does not come out
    /// here: see <see cref="Attempts"/>.
    /// </summary>
    /// <param name="cancellationToken">Ends it: a handler that runs is left behind.</param>
    /// <returns>How many attempts were run.</returns>
    /// <exception cref="ErrandTestException">
    /// More than <see cref="ErrandTestOptions.MaxAttempts"/> were run, or a handler has not returned within
    /// <see cref="ErrandTestOptions.HandlerLimit"/>.
    /// </exception>
    /// <exception cref="InvalidOperationException">A drain is under way.</exception>
    public Task<int> DrainAsync(CancellationToken cancellationToken = default) =>
        AdvanceAsync(TimeSpan.Zero, cancellationToken);

    /// <summary>
    /// Lets time pass: runs what is due, moves the clock to the next time at which a task becomes due, runs what is due
    /// then, and so on until the time has passed. Delays, retries and snoozes happen to the millisecond at their time,
    /// and the clock stands at it.
    /// </summary>
    /// <param name="time">How much time; zero runs only what is due now.</param>
    /// <param name="cancellationToken">Ends it: a handler that runs is left behind.</param>
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
        if (Interlocked.Exchange(ref _isDraining, 1) == 1)
        {
            throw new InvalidOperationException(
                "A drain is under way. Await it first; while a handler waits for time to pass, move Clock itself.");
        }

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
    /// Ends the test: the store is gone with all that was in it, and a handler that still runs is told so.
    /// </summary>
    public async ValueTask DisposeAsync()
    {
        _worker.Abandon();
        await _queue.DisposeAsync().ConfigureAwait(false);
        await _engine.DisposeAsync().ConfigureAwait(false);
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
        while (await _worker.StartOneAsync(cancellationToken).ConfigureAwait(false) is var (task, outcome))
        {
            var started = Clock.GetUtcNow();
            var ended = await EndAsync(task, outcome, cancellationToken).ConfigureAwait(false);
            lock (_lock)
            {
                _attempts.Add(new RanAttempt(
                    task.Lease.Id, task.Name, task.Queue, task.Attempt, task.Lease.Epoch, started, ended.Error));
            }

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

    private async Task<Running.AttemptOutcome> EndAsync(
        ReservedTask task, Task<Running.AttemptOutcome> outcome, CancellationToken cancellationToken)
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
