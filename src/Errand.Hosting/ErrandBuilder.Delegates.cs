using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using Microsoft.Extensions.DependencyInjection;

namespace Errand.Hosting;

/// <summary>Handlers of any other shape than those that have an overload of their own.</summary>
public sealed partial class ErrandBuilder
{
    /// <summary>
    /// Adds a lambda, a method group or a static method. One parameter is the payload; in any order it may ask for the
    /// <see cref="TaskContext"/>, the attempt's <see cref="CancellationToken"/>, and services of the attempt's scope, keyed ones too
    /// ([<see cref="FromKeyedServicesAttribute"/>]). It returns nothing, a task, or the payload's result, as it is or as a task.
    /// </summary>
    /// <remarks>
    /// A handler that returns no task runs on a thread of the worker's own, and may block it. A service that is not registered is told
    /// when the host starts; a parameter with a default value may be missing.
    /// </remarks>
    /// <param name="handler">Runs one attempt; what it throws fails the attempt.</param>
    /// <returns>This builder, to go on with.</returns>
    /// <exception cref="ArgumentException">It cannot be a handler; the message says why, and what to write instead.</exception>
    [OverloadResolutionPriority(-1)] // Only what no overload of its own takes.
    [RequiresUnreferencedCode("Reads the handler's parameters at run time. Ahead of time: a handler of (task, context, services).")]
    [RequiresDynamicCode("Reads the handler's parameters at run time. Ahead of time: a handler of (task, context, services).")]
    public ErrandBuilder AddHandler(Delegate handler)
    {
        ArgumentNullException.ThrowIfNull(handler);
        var read = new DelegateHandler(handler);
        var add = read.Result is null
            ? ((Func<HandlerSource, Delegate, ErrandBuilder>)AddCompiled<ITask>).Method
            : ((Func<HandlerSource, Delegate, ErrandBuilder>)AddCompiled<ITask<object>, object>).Method;
        Type[] arguments = read.Result is null ? [read.Payload] : [read.Payload, read.Result];
        return add.GetGenericMethodDefinition().MakeGenericMethod(arguments)
            .CreateDelegate<Func<HandlerSource, Delegate, ErrandBuilder>>(this)(
                new HandlerSource(handler, read.Asked, read.IsSynchronous), read.Compile());
    }

    private ErrandBuilder AddCompiled<TPayload>(HandlerSource source, Delegate handler)
        where TPayload : ITask =>
        Add(source, (Func<IServiceProvider, TPayload, TaskContext, Task>)handler);

    private ErrandBuilder AddCompiled<TPayload, TResult>(HandlerSource source, Delegate handler)
        where TPayload : ITask<TResult> =>
        Add(source, (Func<IServiceProvider, TPayload, TaskContext, Task<TResult>>)handler);
}
