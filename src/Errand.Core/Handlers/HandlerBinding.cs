using Errand.Payloads;

namespace Errand.Handlers;

/// <summary>A task name, bound to the code that runs it.</summary>
internal abstract class HandlerBinding(Type payload, bool ownsThread)
{
    internal Type Payload { get; } = payload;

    /// <summary>It blocks, or may: it begins on a thread of the worker's own.</summary>
    internal bool OwnsThread { get; } = ownsThread;

    /// <exception cref="ArgumentException">The payload or the result would not come back from JSON as it went.</exception>
    internal virtual void Check(PayloadSerializer serializer) => serializer.CheckPayload(Payload);

    internal abstract object Deserialize(ReadOnlySpan<byte> payload, PayloadSerializer serializer);

    internal abstract ValueTask<object?> RunAsync(object payload, TaskContext context);

    internal abstract ReadOnlyMemory<byte> Serialize(object? result, PayloadSerializer serializer);
}

/// <summary>A handler that gives no result.</summary>
internal sealed class HandlerBinding<TPayload>(Func<TPayload, TaskContext, ValueTask> handler, bool ownsThread)
    : HandlerBinding(typeof(TPayload), ownsThread)
    where TPayload : ITaskPayload
{
    internal override object Deserialize(ReadOnlySpan<byte> payload, PayloadSerializer serializer) =>
        serializer.DeserializePayload<TPayload>(payload);

    internal override async ValueTask<object?> RunAsync(object payload, TaskContext context)
    {
        await handler((TPayload)payload, context).ConfigureAwait(false);
        return null;
    }

    internal override ReadOnlyMemory<byte> Serialize(object? result, PayloadSerializer serializer) => default;
}

/// <summary>A handler that gives a result.</summary>
internal sealed class HandlerBinding<TPayload, TResult>(Func<TPayload, TaskContext, ValueTask<TResult>> handler, bool ownsThread)
    : HandlerBinding(typeof(TPayload), ownsThread)
    where TPayload : ITaskPayload
{
    internal override void Check(PayloadSerializer serializer)
    {
        base.Check(serializer);
        serializer.CheckResult(typeof(TResult));
    }

    internal override object Deserialize(ReadOnlySpan<byte> payload, PayloadSerializer serializer) =>
        serializer.DeserializePayload<TPayload>(payload);

    internal override async ValueTask<object?> RunAsync(object payload, TaskContext context) =>
        await handler((TPayload)payload, context).ConfigureAwait(false);

    internal override ReadOnlyMemory<byte> Serialize(object? result, PayloadSerializer serializer) =>
        serializer.SerializeResult(result, typeof(TResult));
}
