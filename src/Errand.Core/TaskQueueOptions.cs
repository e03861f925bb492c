using System.Text.Json;

namespace Errand;

/// <summary>How a <see cref="TaskQueue"/> writes payloads and reads results.</summary>
public sealed record TaskQueueOptions
{
    /// <summary>The largest payload in bytes of JSON. Default is 1 MiB; 1 byte to 256 MiB.</summary>
    public int MaxPayloadBytes { get; init; } = Defaults.MaxPayloadBytes;

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
        problems.ThrowIfAny();
        return this;
    }
}
