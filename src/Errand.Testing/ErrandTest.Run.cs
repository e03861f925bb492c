using System.Runtime.ExceptionServices;

namespace Errand.Testing;

/// <summary>One handler alone.</summary>
public sealed partial class ErrandTest
{
    /// <summary>
    /// Runs the handler of a task now, once and by itself: no other task is run, and an exception of the handler is thrown here. The
    /// attempt is among <see cref="Attempts"/>; the task is not among those that were enqueued.
    /// </summary>
    /// <remarks>
    /// The payload goes through JSON, and the handler is made as for any task: in a host, in a scope of its own. Tasks that it enqueues
    /// are enqueued, and not run.
    /// </remarks>
    /// <param name="task">The payload.</param>
    /// <param name="options">
    /// What the handler sees of the task, such as its queue, and its timeout. Retries, due time, expiry, unique key, id and transaction
    /// mean nothing. Default is null: all defaults.
    /// </param>
    /// <param name="cancellationToken">Ends the call. A running handler is left behind.</param>
    /// <exception cref="Exception">Whatever the handler throws, as it was; a <see cref="TimeoutException"/> for its timeout.</exception>
    /// <exception cref="TaskFailedException">The handler returned, and its result or transaction could not be stored.</exception>
    /// <exception cref="ErrandTestException">
    /// There is no handler for the task, or it has not returned within <see cref="ErrandTestOptions.HandlerLimit"/>.
    /// </exception>
    /// <exception cref="InvalidOperationException">A drain is under way.</exception>
    public async Task RunAsync(ITaskPayload task, EnqueueOptions? options = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(task);
        var result = await RunOneAsync(task, options, cancellationToken).ConfigureAwait(false);
        result.GetValue<object>();
    }

    /// <summary>Runs the handler of a task now, once and by itself, and returns its result.</summary>
    /// <typeparam name="TResult">What its handler returns.</typeparam>
    /// <returns>The result, read back from its JSON.</returns>
    /// <inheritdoc cref="RunAsync(ITaskPayload, EnqueueOptions?, CancellationToken)"/>
    public async Task<TResult> RunAsync<TResult>(
        ITask<TResult> task, EnqueueOptions? options = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(task);
        var result = await RunOneAsync(task, options, cancellationToken).ConfigureAwait(false);
        return result.GetValue<TResult>()!;
    }

    private async Task<TaskResult> RunOneAsync(ITaskPayload task, EnqueueOptions? options, CancellationToken cancellationToken)
    {
        options ??= new EnqueueOptions();
        var name = _names.Of(task.GetType()).Name;
        var worker = _workers.FirstOrDefault(one => one.Handles(name))
            ?? throw new ErrandTestException($"There is no handler for {task.GetType().Name} ('{name}'). Add it, and a worker that runs it.");
        Begin();
        try
        {
            var handles = await _queue.EnqueueManyAsync(
                [task],
                options with
                {
                    Queue = RecordingBackend.RunQueue, Retry = RetryPolicy.None, Delay = null, DueAt = null, ExpiresAt = null,
                    UniqueKey = null, UniqueFor = null, Id = null, Transaction = null,
                },
                cancellationToken).ConfigureAwait(false);
            var (reserved, outcome) = await worker.StartOneOfAsync(RecordingBackend.RunQueue, _queue.QueueOf(task, options), cancellationToken)
                .ConfigureAwait(false) ?? throw new ErrandTestException($"Task {handles[0].Id} ('{name}') is not offered.");
            var ended = await EndAsync(reserved, outcome, cancellationToken).ConfigureAwait(false);
            if ((ended.Exception ?? ended.Thrown) is { } thrown)
            {
                // A snooze leaves the task waiting, where nothing else would run it.
                await _backend.CancelAsync(handles[0].Id, cancellationToken).ConfigureAwait(false);
                ExceptionDispatchInfo.Throw(thrown);
            }

            return ResultOf(handles[0].Id);
        }
        finally
        {
            Volatile.Write(ref _isDraining, 0);
        }
    }
}
