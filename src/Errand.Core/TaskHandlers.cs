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

    /// <summary>Adds a handler that returns nothing.</summary>
    /// <typeparam name="TPayload">The payload that it handles.</typeparam>
    /// <param name="handler">Runs one attempt; what it throws fails the attempt.</param>
    /// <returns>This object, to go on with.</returns>
    /// <exception cref="InvalidOperationException">The name has a handler already.</exception>
    public TaskHandlers Add<TPayload>(Action<TPayload, TaskContext> handler)
        where TPayload : ITask
    {
        ArgumentNullException.ThrowIfNull(handler);
        return Bind<TPayload>(new HandlerBinding<TPayload>((task, context) =>
        {
            handler(task, context);
            return ValueTask.CompletedTask;
        }));
    }

    /// <inheritdoc cref="Add{TPayload}(Action{TPayload, TaskContext})"/>
    [OverloadResolutionPriority(1)]
    public TaskHandlers Add<TPayload>(Func<TPayload, TaskContext, Task> handler)
        where TPayload : ITask
    {
        ArgumentNullException.ThrowIfNull(handler);
        return Bind<TPayload>(new HandlerBinding<TPayload>((task, context) => new ValueTask(handler(task, context))));
    }

    /// <inheritdoc cref="Add{TPayload}(Action{TPayload, TaskContext})"/>
    public TaskHandlers Add<TPayload>(Func<TPayload, TaskContext, ValueTask> handler)
        where TPayload : ITask
    {
        ArgumentNullException.ThrowIfNull(handler);
        return Bind<TPayload>(new HandlerBinding<TPayload>(handler));
    }

    /// <summary>Adds a handler that returns a result.</summary>
    /// <typeparam name="TPayload">The payload that it handles.</typeparam>
    /// <typeparam name="TResult">What it returns; stored as JSON.</typeparam>
    /// <param name="handler">Runs one attempt; what it throws fails the attempt.</param>
    /// <returns>This object, to go on with.</returns>
    /// <exception cref="InvalidOperationException">The name has a handler already.</exception>
    public TaskHandlers Add<TPayload, TResult>(Func<TPayload, TaskContext, TResult> handler)
        where TPayload : ITask<TResult>
    {
        ArgumentNullException.ThrowIfNull(handler);
        return Bind<TPayload>(new HandlerBinding<TPayload, TResult>((task, context) => new(handler(task, context))));
    }

    /// <inheritdoc cref="Add{TPayload, TResult}(Func{TPayload, TaskContext, TResult})"/>
    [OverloadResolutionPriority(1)]
    public TaskHandlers Add<TPayload, TResult>(Func<TPayload, TaskContext, Task<TResult>> handler)
        where TPayload : ITask<TResult>
    {
        ArgumentNullException.ThrowIfNull(handler);
        return Bind<TPayload>(new HandlerBinding<TPayload, TResult>((task, context) => new(handler(task, context))));
    }

    /// <inheritdoc cref="Add{TPayload, TResult}(Func{TPayload, TaskContext, TResult})"/>
    public TaskHandlers Add<TPayload, TResult>(Func<TPayload, TaskContext, ValueTask<TResult>> handler)
        where TPayload : ITask<TResult>
    {
        ArgumentNullException.ThrowIfNull(handler);
        return Bind<TPayload>(new HandlerBinding<TPayload, TResult>(handler));
    }

    internal Dictionary<string, HandlerBinding> Copy() => new(_bindings, StringComparer.Ordinal);

    private TaskHandlers Bind<TPayload>(HandlerBinding binding)
    {
        var name = _names.Of(typeof(TPayload));
        foreach (var one in (string[])[name.Name, .. name.Aliases])
        {
            if (!_bindings.TryAdd(one, binding))
            {
                throw new InvalidOperationException($"The task name '{one}' has a handler already; each name takes one.");
            }
        }

        return this;
    }
}
