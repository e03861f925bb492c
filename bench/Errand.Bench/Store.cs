namespace Errand.Bench;

/// <summary>Where tasks are kept, in the words of the JSON file.</summary>
internal sealed record Store(string Kind, string Durability)
{
    internal static Store Memory { get; } = new("memory", "none");

    internal static Store Full { get; } = new("file", "full");

    internal static Store Relaxed { get; } = new("file", "relaxed");

    internal static Store Postgres { get; } = new("postgresql", "full");

    /// <summary>Those of SQLite.</summary>
    internal static IReadOnlyList<Store> All { get; } = [Memory, Full, Relaxed];

    internal bool IsMemory => this == Memory;

    internal bool IsFile => Kind == "file";

    /// <summary>What a connection that is used by hand is told, for the durability that Errand gives.</summary>
    internal string Pragmas => this switch
    {
        { IsMemory: true } => "",
        { Durability: "full" } => "pragma journal_mode = wal; pragma synchronous = full;",
        _ => "pragma journal_mode = wal; pragma synchronous = normal;",
    };
}
