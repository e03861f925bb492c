using System.Runtime.CompilerServices;
using Errand.Handlers;
using Errand.Payloads;

namespace Errand;

/// <summary>The handlers of a worker, by task name. Fill it before the worker is made: the worker takes a copy.</summary>
/// <remarks>Not thread-safe while it is being filled.</remarks>
public sealed class TaskHandlers
{
    private readonly Dictionary<string, HandlerBinding> _bindings = new(StringComparer.Ordinal);
    private readonly TaskNames _names = new();

    /// <summary>Adds a handler that returns nothing. It runs on a thread of the worker's own, and may block it.</summary>
    /// <typeparam name="TPayload">The payload that it handles.</typeparam>
    /// <param name="handler">Runs one attempt; what it throws fails the attempt.</param>
    /// <returns>This object, to go on with.</returns>
    /// <exception cref="InvalidOperationException">The payload has a handler already.</exception>
    /// <exception cref="ArgumentException">The payload's name cannot be stored, or belongs to another payload.</exception>
    public TaskHandlers Add<TPayload>(Action<TPayload, TaskContext> handler)
        where TPayload : ITask
    {
        ArgumentNullException.ThrowIfNull(handler);
        return Add<TPayload>(
            (task, context) =>
            {
                handler(task, context);
                return ValueTask.CompletedTask;
            },
            ownsThread: true);
    }

    /// <summary>Adds a handler that returns nothing. It runs on the thread pool; see <see cref="LongRunningAttribute"/>.</summary>
    /// <inheritdoc cref="Add{TPayload}(Action{TPayload, TaskContext})"/>
    [OverloadResolutionPriority(1)]
    public TaskHandlers Add<TPayload>(Func<TPayload, TaskContext, Task> handler)
        where TPayload : ITask
    {
        ArgumentNullException.ThrowIfNull(handler);
        return Add<TPayload>((task, context) => new ValueTask(handler(task, context)), IsLongRunning(handler));
    }

    /// <inheritdoc cref="Add{TPayload}(Func{TPayload, TaskContext, Task})"/>
    public TaskHandlers Add<TPayload>(Func<TPayload, TaskContext, ValueTask> handler)
        where TPayload : ITask
    {
        ArgumentNullException.ThrowIfNull(handler);
        return Add(handler, IsLongRunning(handler));
    }

    /// <summary>Adds a handler that returns a result. It runs on a thread of the worker's own, and may block it.</summary>
    /// <typeparam name="TPayload">The payload that it handles.</typeparam>
    /// <typeparam name="TResult">What it returns; stored as JSON.</typeparam>
    /// <param name="handler">Runs one attempt; what it throws fails the attempt.</param>
    /// <returns>This object, to go on with.</returns>
    /// <exception cref="InvalidOperationException">The payload has a handler already.</exception>
    /// <exception cref="ArgumentException">The payload's name cannot be stored, or belongs to another payload.</exception>
    public TaskHandlers Add<TPayload, TResult>(Func<TPayload, TaskContext, TResult> handler)
        where TPayload : ITask<TResult>
    {
        ArgumentNullException.ThrowIfNull(handler);
        return Add<TPayload, TResult>((task, context) => new ValueTask<TResult>(handler(task, context)), ownsThread: true);
    }

    /// <summary>Adds a handler that returns a result. It runs on the thread pool; see <see cref="LongRunningAttribute"/>.</summary>
    /// <inheritdoc cref="Add{TPayload, TResult}(Func{TPayload, TaskContext, TResult})"/>
    [OverloadResolutionPriority(1)]
    public TaskHandlers Add<TPayload, TResult>(Func<TPayload, TaskContext, Task<TResult>> handler)
        where TPayload : ITask<TResult>
    {
        ArgumentNullException.ThrowIfNull(handler);
        return Add<TPayload, TResult>((task, context) => new ValueTask<TResult>(handler(task, context)), IsLongRunning(handler));
    }

    /// <inheritdoc cref="Add{TPayload, TResult}(Func{TPayload, TaskContext, Task{TResult}})"/>
    public TaskHandlers Add<TPayload, TResult>(Func<TPayload, TaskContext, ValueTask<TResult>> handler)
        where TPayload : ITask<TResult>
    {
        ArgumentNullException.ThrowIfNull(handler);
        return Add(handler, IsLongRunning(handler));
    }

    /// <summary>Whether code that handles a task is marked as blocking, itself or its class.</summary>
    internal static bool IsLongRunning(Delegate handler) =>
        handler.Method.IsDefined(typeof(LongRunningAttribute), inherit: false)
        || handler.Method.DeclaringType?.IsDefined(typeof(LongRunningAttribute), inherit: false) == true;

    internal TaskHandlers Add<TPayload>(Func<TPayload, TaskContext, ValueTask> handler, bool ownsThread)
        where TPayload : ITask =>
        Bind(new HandlerBinding<TPayload>(handler, ownsThread || IsLongRunning<TPayload>()));

    internal TaskHandlers Add<TPayload, TResult>(Func<TPayload, TaskContext, ValueTask<TResult>> handler, bool ownsThread)
        where TPayload : ITask<TResult> =>
        Bind(new HandlerBinding<TPayload, TResult>(handler, ownsThread || IsLongRunning<TPayload>()));

    internal Dictionary<string, HandlerBinding> Copy() => new(_bindings, StringComparer.Ordinal);

    private static bool IsLongRunning<TPayload>() => typeof(TPayload).IsDefined(typeof(LongRunningAttribute), inherit: false);

    private TaskHandlers Bind(HandlerBinding binding)
    {
        var name = _names.Of(binding.Payload);
        foreach (var one in (string[])[name.Name, .. name.Aliases])
        {
            if (!_bindings.TryAdd(one, binding))
            {
                throw new InvalidOperationException(
                    $"'{binding.Payload.FullName}' (task name '{one}') has a handler already; each payload takes one.");
            }
        }

        return this;
    }
}
