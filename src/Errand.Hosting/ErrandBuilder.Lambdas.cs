using System.Runtime.CompilerServices;
using Microsoft.Extensions.DependencyInjection;

namespace Errand.Hosting;

/// <summary>
/// Handlers that are lambdas and methods of the task, its context, and up to four services of the attempt's scope, fit for ahead-of-time
/// compilation. The types of a lambda's parameters are written out, and say what it handles.
/// </summary>
public sealed partial class ErrandBuilder
{
    /// <summary>Adds a handler that gives no result; after the context it may ask for up to four services.</summary>
    /// <remarks>
    /// Services come from a scope of the attempt's own, which ends when the handler has returned. A parameter may be a keyed service
    /// ([<see cref="FromKeyedServicesAttribute"/>]) or the attempt's <see cref="CancellationToken"/>. A service that is not registered is told
    /// when the host starts.
    /// </remarks>
    /// <typeparam name="TPayload">The payload that it handles.</typeparam>
    /// <param name="handler">Runs one attempt; what it throws fails the attempt.</param>
    /// <returns>This builder, to go on with.</returns>
    public ErrandBuilder AddHandler<TPayload>(Func<TPayload, TaskContext, Task> handler)
        where TPayload : ITask
    {
        ArgumentNullException.ThrowIfNull(handler);
        return Add<TPayload>(new(handler, [], false), (_, task, context) => handler(task, context));
    }

    /// <summary>Adds a handler that gives a result; after the context it may ask for up to four services.</summary>
    /// <remarks>The result is written as JSON after the scope has ended: return data, not a query.</remarks>
    /// <typeparam name="TPayload">The payload that it handles.</typeparam>
    /// <typeparam name="TResult">What it returns; stored as JSON.</typeparam>
    /// <param name="handler">Runs one attempt; what it throws fails the attempt.</param>
    /// <returns>This builder, to go on with.</returns>
    [OverloadResolutionPriority(1)]
    public ErrandBuilder AddHandler<TPayload, TResult>(Func<TPayload, TaskContext, Task<TResult>> handler)
        where TPayload : ITask<TResult>
    {
        ArgumentNullException.ThrowIfNull(handler);
        return Add<TPayload, TResult>(new(handler, [], false), (_, task, context) => handler(task, context));
    }

    /// <inheritdoc cref="AddHandler{TPayload, TResult}(Func{TPayload, TaskContext, Task{TResult}})"/>
    public ErrandBuilder AddHandler<TPayload, TResult>(Func<TPayload, TaskContext, TResult> handler)
        where TPayload : ITask<TResult>
    {
        ArgumentNullException.ThrowIfNull(handler);
        return Add<TPayload, TResult>(new(handler, [], true), (_, task, context) => Task.FromResult(handler(task, context)));
    }

    /// <summary>Adds a handler that gives no result.</summary>
    /// <typeparam name="TPayload">The payload that it handles.</typeparam>
    /// <typeparam name="T1">The service.</typeparam>
    /// <inheritdoc cref="AddHandler{TPayload}(Func{TPayload, TaskContext, Task})"/>
    public ErrandBuilder AddHandler<TPayload, T1>(Func<TPayload, TaskContext, T1, Task> handler)
        where TPayload : ITask
        where T1 : notnull
    {
        ArgumentNullException.ThrowIfNull(handler);
        var asked = ServiceParameter.Of(handler, typeof(T1));
        return Add<TPayload>(new(handler, asked, false), (s, task, context) => handler(task, context, Get<T1>(s, context, asked[0])));
    }

    /// <summary>Adds a handler that gives a result.</summary>
    /// <typeparam name="TPayload">The payload that it handles.</typeparam>
    /// <typeparam name="T1">The service.</typeparam>
    /// <typeparam name="TResult">What it returns; stored as JSON.</typeparam>
    /// <inheritdoc cref="AddHandler{TPayload, TResult}(Func{TPayload, TaskContext, Task{TResult}})"/>
    [OverloadResolutionPriority(1)]
    public ErrandBuilder AddHandler<TPayload, T1, TResult>(Func<TPayload, TaskContext, T1, Task<TResult>> handler)
        where TPayload : ITask<TResult>
        where T1 : notnull
    {
        ArgumentNullException.ThrowIfNull(handler);
        var asked = ServiceParameter.Of(handler, typeof(T1));
        return Add<TPayload, TResult>(new(handler, asked, false),
            (s, task, context) => handler(task, context, Get<T1>(s, context, asked[0])));
    }

    /// <summary>Adds a handler that gives a result.</summary>
    /// <typeparam name="TPayload">The payload that it handles.</typeparam>
    /// <typeparam name="T1">The service.</typeparam>
    /// <typeparam name="TResult">What it returns; stored as JSON.</typeparam>
    /// <inheritdoc cref="AddHandler{TPayload, TResult}(Func{TPayload, TaskContext, Task{TResult}})"/>
    public ErrandBuilder AddHandler<TPayload, T1, TResult>(Func<TPayload, TaskContext, T1, TResult> handler)
        where TPayload : ITask<TResult>
        where T1 : notnull
    {
        ArgumentNullException.ThrowIfNull(handler);
        var asked = ServiceParameter.Of(handler, typeof(T1));
        return Add<TPayload, TResult>(new(handler, asked, true),
            (s, task, context) => Task.FromResult(handler(task, context, Get<T1>(s, context, asked[0]))));
    }

    /// <summary>Adds a handler that gives no result.</summary>
    /// <typeparam name="TPayload">The payload that it handles.</typeparam>
    /// <typeparam name="T1">The first service.</typeparam>
    /// <typeparam name="T2">The second service.</typeparam>
    /// <inheritdoc cref="AddHandler{TPayload}(Func{TPayload, TaskContext, Task})"/>
    public ErrandBuilder AddHandler<TPayload, T1, T2>(Func<TPayload, TaskContext, T1, T2, Task> handler)
        where TPayload : ITask
        where T1 : notnull
        where T2 : notnull
    {
        ArgumentNullException.ThrowIfNull(handler);
        var asked = ServiceParameter.Of(handler, typeof(T1), typeof(T2));
        return Add<TPayload>(new(handler, asked, false),
            (s, task, context) => handler(task, context, Get<T1>(s, context, asked[0]), Get<T2>(s, context, asked[1])));
    }

    /// <summary>Adds a handler that gives a result.</summary>
    /// <typeparam name="TPayload">The payload that it handles.</typeparam>
    /// <typeparam name="T1">The first service.</typeparam>
    /// <typeparam name="T2">The second service.</typeparam>
    /// <typeparam name="TResult">What it returns; stored as JSON.</typeparam>
    /// <inheritdoc cref="AddHandler{TPayload, TResult}(Func{TPayload, TaskContext, Task{TResult}})"/>
    [OverloadResolutionPriority(1)]
    public ErrandBuilder AddHandler<TPayload, T1, T2, TResult>(
        Func<TPayload, TaskContext, T1, T2, Task<TResult>> handler)
        where TPayload : ITask<TResult>
        where T1 : notnull
        where T2 : notnull
    {
        ArgumentNullException.ThrowIfNull(handler);
        var asked = ServiceParameter.Of(handler, typeof(T1), typeof(T2));
        return Add<TPayload, TResult>(new(handler, asked, false),
            (s, task, context) => handler(task, context, Get<T1>(s, context, asked[0]), Get<T2>(s, context, asked[1])));
    }

    /// <summary>Adds a handler that gives a result.</summary>
    /// <typeparam name="TPayload">The payload that it handles.</typeparam>
    /// <typeparam name="T1">The first service.</typeparam>
    /// <typeparam name="T2">The second service.</typeparam>
    /// <typeparam name="TResult">What it returns; stored as JSON.</typeparam>
    /// <inheritdoc cref="AddHandler{TPayload, TResult}(Func{TPayload, TaskContext, Task{TResult}})"/>
    public ErrandBuilder AddHandler<TPayload, T1, T2, TResult>(Func<TPayload, TaskContext, T1, T2, TResult> handler)
        where TPayload : ITask<TResult>
        where T1 : notnull
        where T2 : notnull
    {
        ArgumentNullException.ThrowIfNull(handler);
        var asked = ServiceParameter.Of(handler, typeof(T1), typeof(T2));
        return Add<TPayload, TResult>(new(handler, asked, true),
            (s, task, context) => Task.FromResult(handler(task, context, Get<T1>(s, context, asked[0]), Get<T2>(s, context, asked[1]))));
    }

    /// <summary>Adds a handler that gives no result.</summary>
    /// <typeparam name="TPayload">The payload that it handles.</typeparam>
    /// <typeparam name="T1">The first service.</typeparam>
    /// <typeparam name="T2">The second service.</typeparam>
    /// <typeparam name="T3">The third service.</typeparam>
    /// <inheritdoc cref="AddHandler{TPayload}(Func{TPayload, TaskContext, Task})"/>
    public ErrandBuilder AddHandler<TPayload, T1, T2, T3>(Func<TPayload, TaskContext, T1, T2, T3, Task> handler)
        where TPayload : ITask
        where T1 : notnull
        where T2 : notnull
        where T3 : notnull
    {
        ArgumentNullException.ThrowIfNull(handler);
        var asked = ServiceParameter.Of(handler, typeof(T1), typeof(T2), typeof(T3));
        return Add<TPayload>(new(handler, asked, false),
            (s, task, context) =>
                handler(task, context, Get<T1>(s, context, asked[0]), Get<T2>(s, context, asked[1]), Get<T3>(s, context, asked[2])));
    }

    /// <summary>Adds a handler that gives a result.</summary>
    /// <typeparam name="TPayload">The payload that it handles.</typeparam>
    /// <typeparam name="T1">The first service.</typeparam>
    /// <typeparam name="T2">The second service.</typeparam>
    /// <typeparam name="T3">The third service.</typeparam>
    /// <typeparam name="TResult">What it returns; stored as JSON.</typeparam>
    /// <inheritdoc cref="AddHandler{TPayload, TResult}(Func{TPayload, TaskContext, Task{TResult}})"/>
    [OverloadResolutionPriority(1)]
    public ErrandBuilder AddHandler<TPayload, T1, T2, T3, TResult>(
        Func<TPayload, TaskContext, T1, T2, T3, Task<TResult>> handler)
        where TPayload : ITask<TResult>
        where T1 : notnull
        where T2 : notnull
        where T3 : notnull
    {
        ArgumentNullException.ThrowIfNull(handler);
        var asked = ServiceParameter.Of(handler, typeof(T1), typeof(T2), typeof(T3));
        return Add<TPayload, TResult>(new(handler, asked, false),
            (s, task, context) =>
                handler(task, context, Get<T1>(s, context, asked[0]), Get<T2>(s, context, asked[1]), Get<T3>(s, context, asked[2])));
    }

    /// <summary>Adds a handler that gives a result.</summary>
    /// <typeparam name="TPayload">The payload that it handles.</typeparam>
    /// <typeparam name="T1">The first service.</typeparam>
    /// <typeparam name="T2">The second service.</typeparam>
    /// <typeparam name="T3">The third service.</typeparam>
    /// <typeparam name="TResult">What it returns; stored as JSON.</typeparam>
    /// <inheritdoc cref="AddHandler{TPayload, TResult}(Func{TPayload, TaskContext, Task{TResult}})"/>
    public ErrandBuilder AddHandler<TPayload, T1, T2, T3, TResult>(
        Func<TPayload, TaskContext, T1, T2, T3, TResult> handler)
        where TPayload : ITask<TResult>
        where T1 : notnull
        where T2 : notnull
        where T3 : notnull
    {
        ArgumentNullException.ThrowIfNull(handler);
        var asked = ServiceParameter.Of(handler, typeof(T1), typeof(T2), typeof(T3));
        return Add<TPayload, TResult>(new(handler, asked, true),
            (s, task, context) =>
                Task.FromResult(handler(task, context, Get<T1>(s, context, asked[0]), Get<T2>(s, context, asked[1]), Get<T3>(s, context, asked[2]))));
    }

    /// <summary>Adds a handler that gives no result.</summary>
    /// <typeparam name="TPayload">The payload that it handles.</typeparam>
    /// <typeparam name="T1">The first service.</typeparam>
    /// <typeparam name="T2">The second service.</typeparam>
    /// <typeparam name="T3">The third service.</typeparam>
    /// <typeparam name="T4">The fourth service.</typeparam>
    /// <inheritdoc cref="AddHandler{TPayload}(Func{TPayload, TaskContext, Task})"/>
    public ErrandBuilder AddHandler<TPayload, T1, T2, T3, T4>(Func<TPayload, TaskContext, T1, T2, T3, T4, Task> handler)
        where TPayload : ITask
        where T1 : notnull
        where T2 : notnull
        where T3 : notnull
        where T4 : notnull
    {
        ArgumentNullException.ThrowIfNull(handler);
        var asked = ServiceParameter.Of(handler, typeof(T1), typeof(T2), typeof(T3), typeof(T4));
        return Add<TPayload>(new(handler, asked, false),
            (s, task, context) =>
                handler(task, context, Get<T1>(s, context, asked[0]), Get<T2>(s, context, asked[1]), Get<T3>(s, context, asked[2]), Get<T4>(s, context, asked[3])));
    }

    /// <summary>Adds a handler that gives a result.</summary>
    /// <typeparam name="TPayload">The payload that it handles.</typeparam>
    /// <typeparam name="T1">The first service.</typeparam>
    /// <typeparam name="T2">The second service.</typeparam>
    /// <typeparam name="T3">The third service.</typeparam>
    /// <typeparam name="T4">The fourth service.</typeparam>
    /// <typeparam name="TResult">What it returns; stored as JSON.</typeparam>
    /// <inheritdoc cref="AddHandler{TPayload, TResult}(Func{TPayload, TaskContext, Task{TResult}})"/>
    [OverloadResolutionPriority(1)]
    public ErrandBuilder AddHandler<TPayload, T1, T2, T3, T4, TResult>(
        Func<TPayload, TaskContext, T1, T2, T3, T4, Task<TResult>> handler)
        where TPayload : ITask<TResult>
        where T1 : notnull
        where T2 : notnull
        where T3 : notnull
        where T4 : notnull
    {
        ArgumentNullException.ThrowIfNull(handler);
        var asked = ServiceParameter.Of(handler, typeof(T1), typeof(T2), typeof(T3), typeof(T4));
        return Add<TPayload, TResult>(new(handler, asked, false),
            (s, task, context) =>
                handler(task, context, Get<T1>(s, context, asked[0]), Get<T2>(s, context, asked[1]), Get<T3>(s, context, asked[2]), Get<T4>(s, context, asked[3])));
    }

    /// <summary>Adds a handler that gives a result.</summary>
    /// <typeparam name="TPayload">The payload that it handles.</typeparam>
    /// <typeparam name="T1">The first service.</typeparam>
    /// <typeparam name="T2">The second service.</typeparam>
    /// <typeparam name="T3">The third service.</typeparam>
    /// <typeparam name="T4">The fourth service.</typeparam>
    /// <typeparam name="TResult">What it returns; stored as JSON.</typeparam>
    /// <inheritdoc cref="AddHandler{TPayload, TResult}(Func{TPayload, TaskContext, Task{TResult}})"/>
    public ErrandBuilder AddHandler<TPayload, T1, T2, T3, T4, TResult>(
        Func<TPayload, TaskContext, T1, T2, T3, T4, TResult> handler)
        where TPayload : ITask<TResult>
        where T1 : notnull
        where T2 : notnull
        where T3 : notnull
        where T4 : notnull
    {
        ArgumentNullException.ThrowIfNull(handler);
        var asked = ServiceParameter.Of(handler, typeof(T1), typeof(T2), typeof(T3), typeof(T4));
        return Add<TPayload, TResult>(new(handler, asked, true), (s, task, context) =>
                Task.FromResult(handler(task, context, Get<T1>(s, context, asked[0]), Get<T2>(s, context, asked[1]), Get<T3>(s, context, asked[2]), Get<T4>(s, context, asked[3]))));
    }

    private static T Get<T>(IServiceProvider services, TaskContext context, ServiceParameter asked)
        where T : notnull => (T)asked.Resolve(services, context)!;
}
