namespace Errand.Middleware;

/// <summary>What the options name: the same instances for all.</summary>
internal sealed class GivenMiddleware(IReadOnlyList<ITaskMiddleware> middleware, IReadOnlyList<ITaskFailureHandler> failureHandlers)
    : IMiddlewareSource, IMiddlewareScope
{
    public IServiceProvider? Services => null;

    public IReadOnlyList<ITaskMiddleware> Middleware => middleware;

    public IReadOnlyList<ITaskFailureHandler> FailureHandlers => failureHandlers;

    public IMiddlewareScope Begin() => this;

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;
}
