using System.Text.Json;
using System.Text.Json.Serialization;
using Errand.Payloads;

namespace Errand;

/// <summary>How a task ended.</summary>
public sealed record TaskResult
{
    /// <summary>The task's id.</summary>
    public required TaskId Id { get; init; }

    /// <summary>The stored name of the task.</summary>
    public required string Name { get; init; }

    /// <summary>The queue it was in.</summary>
    public required string Queue { get; init; }

    /// <summary>One of the final states.</summary>
    public required TaskState State { get; init; }

    /// <summary>How many attempts were charged.</summary>
    public required int Attempts { get; init; }

    /// <summary>When it was enqueued, by the backend's clock.</summary>
    public required DateTimeOffset EnqueuedAt { get; init; }

    /// <summary>When it ended, by the backend's clock.</summary>
    public required DateTimeOffset FinishedAt { get; init; }

    /// <summary>The last error with its stack, at most 16 KiB; null if the task succeeded.</summary>
    public string? Error { get; init; }

    /// <summary>The handler's result as UTF-8 JSON; empty if there is none. In JSON of this object it is that JSON itself, or null.</summary>
    [JsonConverter(typeof(RawJson))]
    public ReadOnlyMemory<byte> Value { get; init; }

    internal PayloadSerializer? Serializer { get; init; }

    /// <summary>Reads the handler's result.</summary>
    /// <typeparam name="TResult">The type that the handler returned.</typeparam>
    /// <returns>The result; the default of the type if the handler returned none.</returns>
    /// <exception cref="JsonException">The stored result is not a <typeparamref name="TResult"/>.</exception>
    /// <exception cref="TaskFailedException">The task did not succeed.</exception>
    public TResult? GetValue<TResult>()
    {
        if (State != TaskState.Succeeded)
        {
            throw new TaskFailedException(this);
        }

        return Value.IsEmpty
            ? default
            : (TResult?)(Serializer ?? PayloadSerializer.Default).Deserialize(Value.Span, typeof(TResult));
    }
}
