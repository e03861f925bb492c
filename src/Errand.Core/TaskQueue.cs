using System.Runtime.CompilerServices;
using Errand.Diagnostics;
using Errand.Middleware;
using Errand.Payloads;

namespace Errand;

/// <summary>
/// Enqueues tasks and waits for their results. Thread-safe; one queue serves a whole program.
/// </summary>
/// <remarks>
/// When an enqueue returns, its tasks are committed. From then on each task is waiting, running, or in exactly one final state; it is
/// never silently dropped, and it may be started more than once. How much a commit survives is set by the backend's
/// <c>Durability</c>. Cancelling a call that was already submitted abandons the wait, not the commit.
/// </remarks>
public sealed class TaskQueue : ITaskQueue, IAsyncDisposable, IDisposable
{
    private readonly MeasuredBackend _backend;
    private readonly PayloadSerializer _serializer;
    private readonly TaskKinds _kinds;
    private readonly IMiddlewareSource? _middleware; // Null where there is none: then nothing is made for a call.
    private volatile bool _disposed;

    /// <summary>Creates a queue on <paramref name="backend"/>, which the caller disposes.</summary>
    /// <param name="backend">The store of the tasks.</param>
    /// <param name="options">Limits and JSON. Default is null: all defaults.</param>
    /// <exception cref="InvalidOptionsException">The options cannot work. The exception lists every problem.</exception>
    public TaskQueue(IBackend backend, TaskQueueOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(backend);
        options = (options ?? new TaskQueueOptions()).Validated();
        _backend = MeasuredBackend.Over(backend);
        _serializer = new PayloadSerializer(options.Json, options.MaxPayloadBytes);
        _kinds = new TaskKinds(_backend.Names, options);
        _middleware = options.MiddlewareSource ?? (options.Middleware.Count > 0 ? new GivenMiddleware([.. options.Middleware], []) : null);
    }

    /// <summary>The store, for packages that need more of it than the queue.</summary>
    internal IBackend Backend => _backend;

    /// <summary>The queue that a task goes to.</summary>
    internal string QueueOf(ITaskPayload task, EnqueueOptions options) => options.Queue ?? _kinds.Of(task.GetType()).Queue;

    /// <summary>Opens the store, and creates it where needed. Idempotent; the first use does it implicitly.</summary>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <exception cref="BackendException">The store cannot be used. The message says why.</exception>
    public async Task InitializeAsync(CancellationToken cancellationToken = default)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        await _backend.InitializeAsync(cancellationToken).ConfigureAwait(false);
    }

    /// <summary>
    /// Reserves an id that no task has had or will have. Enqueue with it (<see cref="EnqueueOptions.Id"/>): repeating that call after
    /// an unknown outcome creates one task.
    /// </summary>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <exception cref="BackendException">
    /// The store could not complete the call. <see cref="BackendException.IsTransient"/> says whether retrying may help.
    /// </exception>
    public async Task<TaskId> NewIdAsync(CancellationToken cancellationToken = default)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        return await _backend.NewIdAsync(cancellationToken).ConfigureAwait(false);
    }

    /// <summary>
    /// Enqueues a task. When this returns, the task is committed; with <see cref="EnqueueOptions.Transaction"/> it is part of that
    /// transaction.
    /// </summary>
    /// <param name="task">The payload, stored as JSON.</param>
    /// <param name="options">Queue, priority, due time and the like. Default is null: all defaults.</param>
    /// <param name="cancellationToken">Ends the wait. A task that was already submitted is still committed.</param>
    /// <exception cref="InvalidOptionsException">The options cannot work. The exception lists every problem.</exception>
    /// <exception cref="ArgumentException">
    /// The payload is too large or cannot be written as JSON; its name is not allowed or belongs to another payload; or the defaults of its
    /// type cannot work.
    /// </exception>
    /// <exception cref="InvalidOperationException">
    /// <see cref="EnqueueOptions.Transaction"/> is set, and the store cannot take part in it; or it is null in a <c>TransactionScope</c>.
    /// </exception>
    /// <exception cref="BackendException">
    /// The store could not complete the call. <see cref="BackendException.IsTransient"/> says whether retrying may help.
    /// </exception>
    /// <exception cref="ObjectDisposedException">The queue or its backend is disposed.</exception>
    public async Task<TaskHandle> EnqueueAsync(
        ITaskPayload task, EnqueueOptions? options = null, CancellationToken cancellationToken = default)
    {
        var enqueued = await EnqueueOneAsync(task, options, cancellationToken).ConfigureAwait(false);
        return new TaskHandle(this, enqueued.Id, enqueued.IsNew);
    }

    /// <summary>Enqueues a task that returns a result. When this returns, the task is committed.</summary>
    /// <typeparam name="TResult">What its handler returns.</typeparam>
    /// <inheritdoc cref="EnqueueAsync(ITaskPayload, EnqueueOptions?, CancellationToken)"/>
    public async Task<TaskHandle<TResult>> EnqueueAsync<TResult>(
        ITask<TResult> task, EnqueueOptions? options = null, CancellationToken cancellationToken = default)
    {
        var enqueued = await EnqueueOneAsync(task, options, cancellationToken).ConfigureAwait(false);
        return new TaskHandle<TResult>(this, enqueued.Id, enqueued.IsNew);
    }

    /// <summary>Enqueues many tasks in one transaction: all of them or none.</summary>
    /// <param name="tasks">The payloads. Tasks of equal priority and due time are offered in this order.</param>
    /// <param name="options">The options of every task. <see cref="EnqueueOptions.Id"/> must be null.</param>
    /// <param name="cancellationToken">Ends the wait. Tasks that were already submitted are still committed.</param>
    /// <returns>One handle for each payload, in order.</returns>
    /// <inheritdoc cref="EnqueueAsync(ITaskPayload, EnqueueOptions?, CancellationToken)"/>
    [OverloadResolutionPriority(1)] // Null options mean this one.
    public async Task<IReadOnlyList<TaskHandle>> EnqueueManyAsync(
        IEnumerable<ITaskPayload> tasks, EnqueueOptions? options = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(tasks);
        ObjectDisposedException.ThrowIf(_disposed, this);
        options = Checked(options);
        if (options.Id is not null)
        {
            throw new ArgumentException("One id cannot be given to many tasks; enqueue each with its own.", nameof(options));
        }

        return await EnqueueEachAsync(tasks.Select(task => (task, options)), cancellationToken).ConfigureAwait(false);
    }

    /// <summary>
    /// Enqueues many tasks in one transaction, all of them or none, each with its own options: unique keys, priorities, due times.
    /// </summary>
    /// <typeparam name="TPayload">The common type of the payloads.</typeparam>
    /// <param name="tasks">The payloads. Tasks of equal priority and due time are offered in this order.</param>
    /// <param name="options">Returns the options of a task. <see cref="EnqueueOptions.Transaction"/> must be the same for all.</param>
    /// <param name="cancellationToken">Ends the wait. Tasks that were already submitted are still committed.</param>
    /// <returns>One handle for each payload, in order.</returns>
    /// <inheritdoc cref="EnqueueAsync(ITaskPayload, EnqueueOptions?, CancellationToken)"/>
    public async Task<IReadOnlyList<TaskHandle>> EnqueueManyAsync<TPayload>(
        IEnumerable<TPayload> tasks, Func<TPayload, EnqueueOptions> options, CancellationToken cancellationToken = default)
        where TPayload : ITaskPayload
    {
        ArgumentNullException.ThrowIfNull(tasks);
        ArgumentNullException.ThrowIfNull(options);
        ObjectDisposedException.ThrowIf(_disposed, this);
        return await EnqueueEachAsync(tasks.Select(task => ((ITaskPayload)task, Checked(options(task)))), cancellationToken)
            .ConfigureAwait(false);
    }

    /// <summary>
    /// Cancels a task that runs or waits in any process. A waiting task ends at once. The handler of a running task has its token
    /// cancelled within a second; the task ends as cancelled unless the handler succeeds or fails permanently, and is not retried.
    /// </summary>
    /// <param name="id">The task's id.</param>
    /// <param name="cancellationToken">Ends the wait, not the cancellation.</param>
    /// <returns>Whether the task was waiting, is running, or had ended.</returns>
    /// <exception cref="TaskNotFoundException">No task has this id, or the task was removed when its retention ended.</exception>
    /// <exception cref="BackendException">
    /// The store could not complete the call. <see cref="BackendException.IsTransient"/> says whether retrying may help.
    /// </exception>
    public async Task<CancelOutcome> CancelAsync(TaskId id, CancellationToken cancellationToken = default)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        return await _backend.CancelAsync(id, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Returns how a task ended. With a timeout it waits for the end first.</summary>
    /// <param name="id">The task's id.</param>
    /// <param name="timeout">
    /// How long to wait. Default is zero: no wait. <see cref="Timeout.InfiniteTimeSpan"/> waits forever.
    /// </param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>How the task ended; null if it has not ended in time.</returns>
    /// <exception cref="TaskNotFoundException">No task has this id, or the task was removed when its retention ended.</exception>
    /// <exception cref="BackendException">
    /// The store could not complete the call. <see cref="BackendException.IsTransient"/> says whether retrying may help.
    /// </exception>
    public async Task<TaskResult?> GetResultAsync(
        TaskId id, TimeSpan timeout = default, CancellationToken cancellationToken = default)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        if (timeout < TimeSpan.Zero && timeout != Timeout.InfiniteTimeSpan)
        {
            throw new ArgumentOutOfRangeException(
                nameof(timeout), timeout, "A wait cannot be negative; use zero, or Timeout.InfiniteTimeSpan to wait forever.");
        }

        if (timeout != TimeSpan.Zero)
        {
            TaskExecution.NoteWait();
        }

        var result = await _backend.GetResultAsync(id, timeout, cancellationToken).ConfigureAwait(false);
        return result is null ? null : result with { Serializer = _serializer };
    }

    /// <summary>Closes the queue: later calls throw. The backend stays open until its creator disposes it.</summary>
    public ValueTask DisposeAsync()
    {
        _disposed = true;
        return ValueTask.CompletedTask;
    }

    /// <inheritdoc cref="DisposeAsync"/>
    public void Dispose() => _disposed = true;

    private async ValueTask<EnqueuedTask> EnqueueOneAsync(
        ITaskPayload task, EnqueueOptions? options, CancellationToken cancellationToken)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        options = Checked(options);
        var enqueued = _middleware is null
            ? await CommitAsync([ToNewTask(task, options)], options, cancellationToken).ConfigureAwait(false)
            : await EnqueueWithinAsync(_middleware, [NewItem(task, options)], cancellationToken).ConfigureAwait(false);
        return enqueued[0];
    }

    private async Task<IReadOnlyList<TaskHandle>> EnqueueEachAsync(
        IEnumerable<(ITaskPayload Task, EnqueueOptions Options)> tasks, CancellationToken cancellationToken)
    {
        EnqueueOptions? first = null;
        List<NewTask> batch = [];
        List<EnqueueItem> items = [];
        foreach (var (task, options) in tasks)
        {
            first ??= options;
            if (options.Transaction != first.Transaction)
            {
                throw new ArgumentException("The tasks name different transactions; those of one call are committed together.");
            }

            if (_middleware is null)
            {
                batch.Add(ToNewTask(task, options));
            }
            else
            {
                items.Add(NewItem(task, options));
            }
        }

        if (first is null)
        {
            return [];
        }

        var enqueued = _middleware is null
            ? await CommitAsync([.. batch], first, cancellationToken).ConfigureAwait(false)
            : await EnqueueWithinAsync(_middleware, items, cancellationToken).ConfigureAwait(false);
        return Array.ConvertAll([.. enqueued], one => new TaskHandle(this, one.Id, one.IsNew));
    }

    /// <summary>Within middleware, which may change how each task is enqueued. The transaction stays.</summary>
    private async ValueTask<IReadOnlyList<EnqueuedTask>> EnqueueWithinAsync(
        IMiddlewareSource middleware, List<EnqueueItem> items, CancellationToken cancellationToken)
    {
        var transaction = items[0].Options.Transaction;
        var scope = middleware.Begin();
        await using (scope.ConfigureAwait(false))
        {
            return await MiddlewareChain.EnqueueAsync(
                scope.Middleware, new EnqueueContext(items, scope.Services, cancellationToken), EnqueueAsync).ConfigureAwait(false);
        }

        async ValueTask<IReadOnlyList<EnqueuedTask>> EnqueueAsync()
        {
            var tasks = items.Select(item => ToNewTask(item.Task, Checked(item.Options))).ToArray();
            var options = items[0].Options with { Transaction = transaction };
            var enqueued = await CommitAsync(tasks, options, cancellationToken).ConfigureAwait(false);
            for (var i = 0; i < items.Count; i++)
            {
                items[i].Enqueued(enqueued[i].Id);
            }

            return enqueued;
        }
    }

    private static EnqueueItem NewItem(ITaskPayload task, EnqueueOptions options)
    {
        ArgumentNullException.ThrowIfNull(task);
        return new EnqueueItem(task, options);
    }

    private ValueTask<IReadOnlyList<EnqueuedTask>> CommitAsync(
        NewTask[] tasks, EnqueueOptions options, CancellationToken cancellationToken)
    {
        if (options.Transaction is null && System.Transactions.Transaction.Current is not null)
        {
            throw new InvalidOperationException(
                "A TransactionScope is open here, and Errand does not take part in it: the task would stay if the scope were rolled back. "
                + "Pass a DbTransaction of your own (EnqueueOptions.Transaction), or enqueue within "
                + "new TransactionScope(TransactionScopeOption.Suppress, TransactionScopeAsyncFlowOption.Enabled).");
        }

        return Span.IsTraced
            ? CommitTracedAsync(tasks, options, cancellationToken)
            : SubmitAsync(tasks, options, cancellationToken);
    }

    private async ValueTask<IReadOnlyList<EnqueuedTask>> CommitTracedAsync(
        NewTask[] tasks, EnqueueOptions options, CancellationToken cancellationToken)
    {
        using var span = Span.StartSend(tasks[0].Queue, tasks.Length, _backend);
        var (parent, state) = Span.CurrentTrace();
        tasks = Array.ConvertAll(tasks, task => task with { Headers = TaskHeaders.WithTrace(task.Headers, parent, state) });
        try
        {
            var enqueued = await SubmitAsync(tasks, options, cancellationToken).ConfigureAwait(false);
            if (enqueued.Count == 1)
            {
                span.NoteId(enqueued[0].Id);
            }

            return enqueued;
        }
        catch (Exception e)
        {
            span.Fail(e);
            throw;
        }
    }

    private ValueTask<IReadOnlyList<EnqueuedTask>> SubmitAsync(
        NewTask[] tasks, EnqueueOptions options, CancellationToken cancellationToken) =>
        options.Transaction is { } transaction
            ? _backend.EnqueueInAsync(tasks, transaction, cancellationToken)
            : _backend.EnqueueAsync(tasks, cancellationToken);

    private static EnqueueOptions Checked(EnqueueOptions? options)
    {
        options?.Validate();
        return options ?? EnqueueOptions.None;
    }

    private NewTask ToNewTask(ITaskPayload task, EnqueueOptions options)
    {
        ArgumentNullException.ThrowIfNull(task);
        var payload = _serializer.SerializePayload(task);
        var kind = _kinds.Of(task.GetType());
        var timeout = options.Timeout ?? kind.Timeout;
        return new NewTask
        {
            Id = options.Id,
            Name = kind.Name,
            Queue = options.Queue ?? kind.Queue,
            Priority = options.Priority ?? kind.Priority,
            Delay = options.Delay,
            DueAt = options.DueAt,
            ExpiresAt = options.ExpiresAt,
            UniqueKey = options.UniqueKey,
            UniqueFor = options.UniqueFor,
            Timeout = timeout == Timeout.InfiniteTimeSpan ? null : timeout,
            Retry = options.Retry ?? kind.Retry,
            Headers = TaskHeaders.Write(options.Headers),
            Payload = payload,
            OwnPayload = payload,
        };
    }
}
