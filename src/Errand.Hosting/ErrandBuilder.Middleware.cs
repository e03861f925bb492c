using System.Diagnostics.CodeAnalysis;
using Microsoft.Extensions.DependencyInjection.Extensions;

namespace Errand.Hosting;

/// <summary>What surrounds handlers and enqueues, and who is told of failures: classes with services.</summary>
public sealed partial class ErrandBuilder
{
    private readonly List<HandlerSource> _middleware = [];
    private readonly List<HandlerSource> _failureHandlers = [];

    /// <summary>The outermost first.</summary>
    internal IReadOnlyList<HandlerSource> Middleware => _middleware;

    internal IReadOnlyList<HandlerSource> FailureHandlers => _failureHandlers;

    /// <summary>
    /// Surrounds every enqueue of this process and every attempt of its workers with code of the application's own. The first that is
    /// added is the outermost; the same class twice is no error.
    /// </summary>
    /// <remarks>
    /// It is registered as scoped unless it is registered already. An attempt gets it from its own scope, which is the handler's; a call that
    /// enqueues, from a scope of the call.
    /// </remarks>
    /// <typeparam name="TMiddleware">The class.</typeparam>
    /// <returns>This builder, to go on with.</returns>
    public ErrandBuilder AddMiddleware<
        [DynamicallyAccessedMembers(DynamicallyAccessedMemberTypes.PublicConstructors)] TMiddleware>()
        where TMiddleware : class, ITaskMiddleware
    {
        RefuseWithinWorker("Middleware");
        return AddTo<TMiddleware>(_middleware);
    }

    /// <summary>
    /// Has a class told of every attempt that failed in this process. Several are told in the order in which they were added; the same
    /// class twice is no error.
    /// </summary>
    /// <remarks>It is registered as scoped unless it is registered already, and comes from the attempt's scope, which is the handler's.</remarks>
    /// <typeparam name="THandler">The class.</typeparam>
    /// <returns>This builder, to go on with.</returns>
    public ErrandBuilder AddFailureHandler<
        [DynamicallyAccessedMembers(DynamicallyAccessedMemberTypes.PublicConstructors)] THandler>()
        where THandler : class, ITaskFailureHandler
    {
        RefuseWithinWorker("A failure handler");
        return AddTo<THandler>(_failureHandlers);
    }

    private ErrandBuilder AddTo<[DynamicallyAccessedMembers(DynamicallyAccessedMemberTypes.PublicConstructors)] T>(List<HandlerSource> sources)
        where T : class
    {
        Services.TryAddScoped<T>();
        if (!sources.Exists(one => one.Class == typeof(T)))
        {
            sources.Add(HandlerSource.Of(typeof(T)));
        }

        return this;
    }
}
