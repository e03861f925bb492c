using Errand.Handlers;

namespace Errand.Middleware;

/// <summary>Calls one middleware within the other, and what they surround within the last.</summary>
internal static class MiddlewareChain
{
    /// <summary>Runs a handler within its middleware.</summary>
    /// <returns>What the handler returned last; null if it was not run.</returns>
    internal static ValueTask<object?> ExecuteAsync(
        IReadOnlyList<ITaskMiddleware> middleware, HandlerBinding handler, object payload, TaskContext context) =>
        middleware.Count == 0 ? handler.RunAsync(payload, context) : ExecuteWithinAsync(middleware, handler, payload, context);

    /// <summary>Enqueues within middleware.</summary>
    internal static async ValueTask<T> EnqueueAsync<T>(
        IReadOnlyList<ITaskMiddleware> middleware, EnqueueContext context, Func<ValueTask<T>> enqueue)
    {
        T? enqueued = default;
        var calls = 0;
        await NextAsync(0).ConfigureAwait(false);
        return calls > 0 ? enqueued! : throw Misused("returned without having called next: nothing was enqueued. Throw, to refuse a task");

        ValueTask NextAsync(int index) =>
            index < middleware.Count ? middleware[index].EnqueueAsync(context, () => NextAsync(index + 1)) : LastAsync();

        async ValueTask LastAsync() => enqueued = Interlocked.Increment(ref calls) == 1
            ? await enqueue().ConfigureAwait(false)
            : throw Misused("called next a second time: the tasks are enqueued already");
    }

    private static async ValueTask<object?> ExecuteWithinAsync(
        IReadOnlyList<ITaskMiddleware> middleware, HandlerBinding handler, object payload, TaskContext context)
    {
        object? result = null;
        await NextAsync(0).ConfigureAwait(false);
        return result;

        ValueTask NextAsync(int index) =>
            index < middleware.Count ? middleware[index].ExecuteAsync(context, () => NextAsync(index + 1)) : LastAsync();

        async ValueTask LastAsync() => result = await OnOwnThreadAsync(handler, payload, context).ConfigureAwait(false);
    }

    /// <summary>A middleware that has awaited something may have left the thread that the handler may block.</summary>
    private static ValueTask<object?> OnOwnThreadAsync(HandlerBinding handler, object payload, TaskContext context) =>
        handler.OwnsThread && Thread.CurrentThread.IsThreadPoolThread
            ? new(Task.Factory.StartNew(
                () => handler.RunAsync(payload, context).AsTask(), CancellationToken.None, TaskCreationOptions.LongRunning,
                TaskScheduler.Default).Unwrap())
            : handler.RunAsync(payload, context);

    private static InvalidOperationException Misused(string what) => new($"A middleware {what}.");
}
