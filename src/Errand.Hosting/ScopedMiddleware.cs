using Errand.Middleware;
using Microsoft.Extensions.DependencyInjection;

namespace Errand.Hosting;

/// <summary>A scope of the container for each attempt, and for each call that enqueues; it makes what surrounds that.</summary>
/// <param name="scopes">The container.</param>
/// <param name="builder">The classes.</param>
/// <param name="middleware">Instances that the options name: they are outside the classes.</param>
/// <param name="failureHandlers">Instances that the options name: they are told first.</param>
internal sealed class ScopedMiddleware(
    IServiceScopeFactory scopes, ErrandBuilder builder, IReadOnlyList<ITaskMiddleware> middleware,
    IReadOnlyList<ITaskFailureHandler> failureHandlers) : IMiddlewareSource
{
    private readonly Type[] _middleware = [.. builder.Middleware.Select(one => one.Class!)];
    private readonly Type[] _failureHandlers = [.. builder.FailureHandlers.Select(one => one.Class!)];

    public IMiddlewareScope Begin() => new Scope(this, scopes.CreateAsyncScope());

    private IReadOnlyList<ITaskMiddleware> MiddlewareOf(IServiceProvider services) => Resolve(services, middleware, _middleware);

    private IReadOnlyList<ITaskFailureHandler> FailureHandlersOf(IServiceProvider services) =>
        Resolve(services, failureHandlers, _failureHandlers);

    private static IReadOnlyList<T> Resolve<T>(IServiceProvider services, IReadOnlyList<T> given, Type[] types) =>
        types.Length == 0 ? given : [.. given, .. types.Select(type => (T)services.GetRequiredService(type))];

    private sealed class Scope(ScopedMiddleware source, AsyncServiceScope scope) : IMiddlewareScope
    {
        public IServiceProvider Services => scope.ServiceProvider;

        public IReadOnlyList<ITaskMiddleware> Middleware => source.MiddlewareOf(Services);

        public IReadOnlyList<ITaskFailureHandler> FailureHandlers => source.FailureHandlersOf(Services);

        public ValueTask DisposeAsync() => scope.DisposeAsync();
    }
}
