using System.Diagnostics.CodeAnalysis;
using System.Reflection;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;

namespace Errand.Hosting;

/// <summary>Handlers that are classes, and how every handler is run: with services of the attempt's scope.</summary>
public sealed partial class ErrandBuilder
{
    private readonly List<HandlerRegistration> _handlers = [];

    internal IReadOnlyList<HandlerRegistration> Handlers => _handlers;

    /// <summary>
    /// Adds a class that implements <see cref="ITaskHandler{TPayload}"/> or <see cref="ITaskHandler{TPayload, TResult}"/>, once or
    /// several times. Each attempt gets it from a scope of its own; it is registered as scoped unless it is registered already.
    /// </summary>
    /// <typeparam name="THandler">The class.</typeparam>
    /// <returns>This builder, to go on with.</returns>
    /// <exception cref="ArgumentException">The class handles no payload.</exception>
    [RequiresDynamicCode("Finds out at run time what the class handles. Ahead of time: AddHandler<THandler, TPayload>().")]
    public ErrandBuilder AddHandler<
        [DynamicallyAccessedMembers(
            DynamicallyAccessedMemberTypes.PublicConstructors | DynamicallyAccessedMemberTypes.Interfaces)] THandler>()
        where THandler : class =>
        AddHandlerType(typeof(THandler));

    /// <summary>Adds a class for one payload that it handles without a result; fit for ahead-of-time compilation.</summary>
    /// <typeparam name="THandler">The class.</typeparam>
    /// <typeparam name="TPayload">The payload.</typeparam>
    /// <returns>This builder, to go on with.</returns>
    public ErrandBuilder AddHandler<
        [DynamicallyAccessedMembers(DynamicallyAccessedMemberTypes.PublicConstructors)] THandler, TPayload>()
        where THandler : class, ITaskHandler<TPayload>
        where TPayload : ITask
    {
        Services.TryAddScoped<THandler>();
        return Add<TPayload>(HandlerSource.Of(typeof(THandler)), (services, task, context) => services.GetRequiredService<THandler>().HandleAsync(task, context));
    }

    /// <summary>Adds a class for one payload that it handles with a result; fit for ahead-of-time compilation.</summary>
    /// <typeparam name="THandler">The class.</typeparam>
    /// <typeparam name="TPayload">The payload.</typeparam>
    /// <typeparam name="TResult">The result.</typeparam>
    /// <returns>This builder, to go on with.</returns>
    public ErrandBuilder AddHandler<
        [DynamicallyAccessedMembers(DynamicallyAccessedMemberTypes.PublicConstructors)] THandler, TPayload, TResult>()
        where THandler : class, ITaskHandler<TPayload, TResult>
        where TPayload : ITask<TResult>
    {
        Services.TryAddScoped<THandler>();
        return Add<TPayload, TResult>(
            HandlerSource.Of(typeof(THandler)),
            (services, task, context) => services.GetRequiredService<THandler>().HandleAsync(task, context));
    }

    /// <summary>Adds every class of an assembly that handles a payload, as <see cref="AddHandler{THandler}()"/> does.</summary>
    /// <param name="assembly">The assembly. Abstract, open generic and private classes are passed over.</param>
    /// <returns>This builder, to go on with.</returns>
    /// <exception cref="ArgumentException">The assembly has no such class.</exception>
    [RequiresUnreferencedCode("Classes that nothing refers to are trimmed away. Add each with AddHandler.")]
    [RequiresDynamicCode("Finds out at run time what the classes handle. Ahead of time: AddHandler<THandler, TPayload>().")]
    public ErrandBuilder AddHandlersFrom(Assembly assembly)
    {
        ArgumentNullException.ThrowIfNull(assembly);
        var found = assembly.GetTypes()
            .Where(type => type is
                { IsClass: true, IsAbstract: false, ContainsGenericParameters: false, IsNestedPrivate: false })
            .Where(type => HandledBy(type).Length > 0)
            .OrderBy(type => type.FullName, StringComparer.Ordinal).ToArray();
        if (found.Length == 0)
        {
            throw new ArgumentException(
                $"No class of {assembly.GetName().Name} implements ITaskHandler; give the assembly that holds the handlers.",
                nameof(assembly));
        }

        foreach (var type in found)
        {
            AddHandlerType(type);
        }

        return this;
    }

    [RequiresDynamicCode("Makes generic methods of the payloads that the class handles.")]
    [UnconditionalSuppressMessage("Trimming", "IL2060", Justification = "AddClass asks nothing of its type arguments.")]
    private ErrandBuilder AddHandlerType(
        [DynamicallyAccessedMembers(
            DynamicallyAccessedMemberTypes.PublicConstructors | DynamicallyAccessedMemberTypes.Interfaces)] Type type)
    {
        var handled = HandledBy(type);
        if (handled.Length == 0)
        {
            throw new ArgumentException(
                $"{type.Name} implements neither ITaskHandler<TPayload> nor ITaskHandler<TPayload, TResult>.");
        }

        Services.TryAddScoped(type);
        var source = HandlerSource.Of(type);
        foreach (var one in handled)
        {
            var arguments = one.GetGenericArguments();
            var add = arguments.Length == 1
                ? ((Func<HandlerSource, ErrandBuilder>)AddClass<ITask>).Method
                : ((Func<HandlerSource, ErrandBuilder>)AddClass<ITask<object>, object>).Method;
            add.GetGenericMethodDefinition().MakeGenericMethod(arguments)
                .CreateDelegate<Func<HandlerSource, ErrandBuilder>>(this)(source);
        }

        return this;
    }

    private static Type[] HandledBy([DynamicallyAccessedMembers(DynamicallyAccessedMemberTypes.Interfaces)] Type type) =>
    [
        .. type.GetInterfaces().Where(one => one.IsGenericType
            && one.GetGenericTypeDefinition() is var open && (open == typeof(ITaskHandler<>) || open == typeof(ITaskHandler<,>))),
    ];

    private ErrandBuilder AddClass<TPayload>(HandlerSource source)
        where TPayload : ITask =>
        Add<TPayload>(source, (services, task, context) =>
            ((ITaskHandler<TPayload>)services.GetRequiredService(source.Class!)).HandleAsync(task, context));

    private ErrandBuilder AddClass<TPayload, TResult>(HandlerSource source)
        where TPayload : ITask<TResult> =>
        Add<TPayload, TResult>(source, (services, task, context) =>
            ((ITaskHandler<TPayload, TResult>)services.GetRequiredService(source.Class!)).HandleAsync(task, context));

    private ErrandBuilder Add<TPayload>(HandlerSource source, Func<IServiceProvider, TPayload, TaskContext, Task> handler)
        where TPayload : ITask =>
        Add(typeof(TPayload), source, handlers => handlers.Add<TPayload>(
            (task, context) => new ValueTask(handler(context.Services!, task, context)), source.OwnsThread));

    private ErrandBuilder Add<TPayload, TResult>(
        HandlerSource source, Func<IServiceProvider, TPayload, TaskContext, Task<TResult>> handler)
        where TPayload : ITask<TResult> =>
        Add(typeof(TPayload), source, handlers => handlers.Add<TPayload, TResult>(
            (task, context) => new ValueTask<TResult>(handler(context.Services!, task, context)), source.OwnsThread));

    private ErrandBuilder Add(Type payload, HandlerSource source, Action<TaskHandlers> addTo)
    {
        // The same class again, found in its assembly perhaps, is no second handler.
        if (source.Class is null || !_handlers.Exists(one => one.Payload == payload && one.Source.Class == source.Class))
        {
            _handlers.Add(new HandlerRegistration(payload, source, addTo));
        }

        return this;
    }

    /// <summary>A handler: what it handles, where it comes from, and how a worker is given it.</summary>
    internal sealed record HandlerRegistration(Type Payload, HandlerSource Source, Action<TaskHandlers> AddTo);
}
