using System.Collections.Immutable;
using System.Text.Json;
using Errand.Middleware;
using Errand.Payloads;

namespace Errand;

/// <summary>How a <see cref="TaskQueue"/> writes payloads and reads results.</summary>
public sealed record TaskQueueOptions
{
    /// <summary>The largest payload in bytes of JSON. Default is 1 MiB; 1 byte to 256 MiB.</summary>
    public int MaxPayloadBytes { get; init; } = Errand.Defaults.MaxPayloadBytes;

    /// <summary>
    /// How payloads and results are turned to JSON; the worker's must agree. Default is null: System.Text.Json by reflection, with nullable
    /// annotations and required constructor parameters respected. Ordinary options work as they are. In an ahead-of-time compiled
    /// program give the options of a source-generated context: <c>MyJsonContext.Default.Options</c>.
    /// </summary>
    public JsonSerializerOptions? Json { get; init; }

    /// <summary>
    /// Whether every payload must have a name of its own ([<see cref="TaskNameAttribute"/>]), so that no type that is renamed or moved
    /// leaves its stored tasks behind. Default is false: a type without it is stored under its type name.
    /// </summary>
    public bool RequireTaskName { get; init; }

    /// <summary>What every task is enqueued with where neither the call nor its type says otherwise. Default is nothing.</summary>
    public TaskDefaults Defaults { get; init; } = TaskDefaults.None;

    /// <summary>What surrounds every call that enqueues, the outermost first. Default is nothing. In a host: <c>AddMiddleware</c>.</summary>
    public IReadOnlyList<ITaskMiddleware> Middleware { get; init; } = [];

    /// <summary>A container that makes what surrounds each call; null for <see cref="Middleware"/>.</summary>
    internal IMiddlewareSource? MiddlewareSource { get; init; }

    /// <summary>Is told of each type when its first task is enqueued.</summary>
    internal Action<TaskKind>? Learned { get; init; }

    private ImmutableDictionary<Type, TaskDefaults> DefaultsByType { get; init; } = ImmutableDictionary<Type, TaskDefaults>.Empty;

    /// <summary>These options with other defaults for the tasks of one type.</summary>
    /// <typeparam name="TTask">The type; not those that derive from it.</typeparam>
    /// <param name="change">
    /// Returns the defaults of the type, from those that were configured for it before: <c>defaults => defaults with { … }</c>.
    /// </param>
    /// <returns>New options; these stay as they are.</returns>
    public TaskQueueOptions ConfigureDefaults<TTask>(Func<TaskDefaults, TaskDefaults> change)
        where TTask : ITaskPayload
    {
        ArgumentNullException.ThrowIfNull(change);
        return this with { DefaultsByType = DefaultsByType.SetItem(typeof(TTask), change(DefaultsOf(typeof(TTask)))) };
    }

    internal TaskDefaults DefaultsOf(Type type) => DefaultsByType.GetValueOrDefault(type, TaskDefaults.None);

    /// <summary>These options with what a configuration says: its words win.</summary>
    internal TaskQueueOptions With(OptionValues values) => this with
    {
        MaxPayloadBytes = values.Read(nameof(MaxPayloadBytes), MaxPayloadBytes),
        RequireTaskName = values.Read(nameof(RequireTaskName), RequireTaskName),
    };

    internal TaskQueueOptions Validated()
    {
        var problems = new OptionProblems(nameof(TaskQueueOptions));
        problems.Range(
            MaxPayloadBytes is < 1 or > OptionProblems.MaxBytes, nameof(MaxPayloadBytes), MaxPayloadBytes, "1 byte to 256 MiB");
        if (Middleware is null || Middleware.Contains(null!))
        {
            problems.Add($"{nameof(Middleware)} holds null; leave it out");
        }

        Defaults.CollectProblems(problems.Within(nameof(Defaults)));
        foreach (var (type, defaults) in DefaultsByType.OrderBy(one => one.Key.FullName, StringComparer.Ordinal))
        {
            defaults.CollectProblems(problems.Within($"{nameof(ConfigureDefaults)}<{type.FullName}>"));
        }

        problems.ThrowIfAny();
        return this;
    }
}
