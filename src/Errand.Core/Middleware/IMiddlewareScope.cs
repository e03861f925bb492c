namespace Errand.Middleware;

/// <summary>What an application has added around one attempt, or one call that enqueues. It ends with that.</summary>
internal interface IMiddlewareScope : IAsyncDisposable
{
    IServiceProvider? Services { get; }

    /// <summary>The outermost first. Made when it is asked for, which may throw.</summary>
    IReadOnlyList<ITaskMiddleware> Middleware { get; }

    /// <summary>In the order in which they are told. Made when they are asked for, which may throw.</summary>
    IReadOnlyList<ITaskFailureHandler> FailureHandlers { get; }
}
