using System.Globalization;
using System.Text;

namespace Errand.Testing;

/// <summary>
/// The tasks that were enqueued, and their outcomes. Each method reads the store, which is in memory and answers at once.
/// </summary>
public sealed partial class ErrandTest
{
    /// <summary>The most tasks that a message lists.</summary>
    private const int MaxListed = 50;

    /// <summary>
    /// Returns the enqueued tasks of a payload type in the order of enqueueing, as they are now. Finished tasks are included, deleted
    /// ones are not. A call that found an existing task, by its unique key or id, adds none.
    /// </summary>
    /// <typeparam name="TPayload">The type of the payload; its stored name selects the tasks.</typeparam>
    /// <exception cref="System.Text.Json.JsonException">
    /// A stored payload is not a <typeparamref name="TPayload"/>.
    /// </exception>
    public IReadOnlyList<EnqueuedTask<TPayload>> Enqueued<TPayload>()
        where TPayload : ITaskPayload
    {
        var name = _names.Of(typeof(TPayload)).Name;
        return
        [
            .. from one in _backend.Enqueued
               where one.Task.Name == name
               let now = Find(one.Id)
               where now is not null
               select new EnqueuedTask<TPayload>
               {
                   Id = one.Id,
                   Payload = (TPayload)_serializer.DeserializePayload<TPayload>(one.Task.Payload.Span),
                   Queue = one.Task.Queue,
                   Priority = one.Task.Priority,
                   EnqueuedAt = now.EnqueuedAt,
                   DueAt = now.DueAt,
                   ExpiresAt = one.Task.ExpiresAt,
                   UniqueKey = one.Task.UniqueKey,
                   Timeout = one.Task.Timeout,
                   Retry = one.Task.Retry,
                   Headers = TaskHeaders.Read(one.Task.Headers),
                   State = now.State,
                   Attempt = now.Attempt,
               },
        ];
    }

    /// <summary>Asserts that exactly one task of a payload type was enqueued, and returns it.</summary>
    /// <typeparam name="TPayload">The type of the payload.</typeparam>
    /// <param name="condition">Selects the task. Default is null: any.</param>
    /// <exception cref="ErrandTestException">
    /// There is none, or there are several. The message lists what was enqueued.
    /// </exception>
    public EnqueuedTask<TPayload> AssertEnqueued<TPayload>(Func<EnqueuedTask<TPayload>, bool>? condition = null)
        where TPayload : ITaskPayload
    {
        var all = Enqueued<TPayload>();
        EnqueuedTask<TPayload>[] meant = [.. all.Where(condition ?? (_ => true))];
        return meant is [var one] ? one : throw Unexpected<TPayload>("one", condition is not null, meant.Length, all.Count);
    }

    /// <summary>Asserts that no task of a payload type was enqueued.</summary>
    /// <typeparam name="TPayload">The type of the payload.</typeparam>
    /// <param name="condition">Selects the tasks. Default is null: all.</param>
    /// <exception cref="ErrandTestException">There is one. The message lists what was enqueued.</exception>
    public void AssertNotEnqueued<TPayload>(Func<EnqueuedTask<TPayload>, bool>? condition = null)
        where TPayload : ITaskPayload
    {
        var all = Enqueued<TPayload>();
        var meant = all.Count(condition ?? (_ => true));
        if (meant > 0)
        {
            throw Unexpected<TPayload>("no", condition is not null, meant, all.Count);
        }
    }

    /// <summary>Returns how a task ended, whether it succeeded or not.</summary>
    /// <param name="id">The task's id.</param>
    /// <exception cref="ErrandTestException">It has not ended. The message gives its state.</exception>
    /// <exception cref="TaskNotFoundException">There is no such task, or it was deleted.</exception>
    public TaskResult ResultOf(TaskId id)
    {
        if (Answer(_queue.GetResultAsync(id)) is { } result)
        {
            return result;
        }

        var task = Find(id) ?? throw new TaskNotFoundException(id);
        var next = task.State switch
        {
            TaskState.Running => "a handler runs it",
            _ when task.IsParked => "there is no handler for its name",
            TaskState.Scheduled => string.Create(
                CultureInfo.InvariantCulture, $"it is due at {task.DueAt:O} and now is {Clock.GetUtcNow():O}: await AdvanceAsync"),
            _ => "await DrainAsync",
        };
        throw new ErrandTestException($"Task {id} ('{task.Name}') has not ended. It is {task.State}; {next}.");
    }

    /// <summary>Returns how a task ended, whether it succeeded or not.</summary>
    /// <param name="handle">The task.</param>
    /// <inheritdoc cref="ResultOf(TaskId)"/>
    public TaskResult ResultOf(TaskHandle handle)
    {
        ArgumentNullException.ThrowIfNull(handle);
        return ResultOf(handle.Id);
    }

    /// <summary>Returns the result of a task.</summary>
    /// <typeparam name="TResult">The type of the result.</typeparam>
    /// <param name="handle">The task.</param>
    /// <exception cref="TaskFailedException">The task failed, was cancelled or expired.</exception>
    /// <exception cref="System.Text.Json.JsonException">
    /// The stored result is not a <typeparamref name="TResult"/>.
    /// </exception>
    /// <inheritdoc cref="ResultOf(TaskId)"/>
    public TResult ResultOf<TResult>(TaskHandle<TResult> handle)
    {
        ArgumentNullException.ThrowIfNull(handle);
        return ResultOf(handle.Id).GetValue<TResult>()!;
    }

    private TaskDetails? Find(TaskId id) => Answer(Inspector.FindAsync(id).AsTask());

    /// <summary>The writer's own thread answers; it depends on no thread that could be blocked here.</summary>
    private static T Answer<T>(Task<T> call) => call.GetAwaiter().GetResult();

    private ErrandTestException Unexpected<TPayload>(string expected, bool isConditional, int meant, int all)
    {
        var text = new StringBuilder();
        text.Append(CultureInfo.InvariantCulture, $"Expected {expected} enqueued {typeof(TPayload).Name}");
        if (isConditional)
        {
            text.Append(CultureInfo.InvariantCulture, $" that meets the condition; {meant} of {all} do.");
        }
        else
        {
            text.Append(CultureInfo.InvariantCulture, $"; there are {meant}.");
        }

        var known = _backend.Enqueued;
        if (known.Length == 0)
        {
            return new ErrandTestException(text.Append(" Nothing was enqueued.").ToString());
        }

        text.Append(" Enqueued were:");
        foreach (var (id, task) in known.Take(MaxListed))
        {
            var payload = Encoding.UTF8.GetString(task.Payload.Span);
            text.Append(CultureInfo.InvariantCulture, $"\n  {id} {task.Name} {payload}, {Where(id, task)}");
        }

        if (known.Length > MaxListed)
        {
            text.Append(CultureInfo.InvariantCulture, $"\n  and {known.Length - MaxListed:N0} more");
        }

        return new ErrandTestException(text.ToString());
    }

    private string Where(TaskId id, NewTask task)
    {
        if (Find(id) is not { } now)
        {
            return "deleted";
        }

        var key = task.UniqueKey is { } unique ? $", unique key '{unique}'" : "";
        return string.Create(
            CultureInfo.InvariantCulture, $"{now.State}, queue {task.Queue}, priority {task.Priority}, due {now.DueAt:O}{key}");
    }
}
