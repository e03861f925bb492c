using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;

namespace Errand.Hosting;

/// <summary>
/// The sections of the configuration that belong to a builder, and what stands among them that belongs to nobody: a misspelled name
/// would otherwise be ignored without a word.
/// </summary>
internal sealed class ErrandSections(ErrandBuilder builder, IConfiguration? configuration)
{
    internal const string Root = "Errand";
    internal const string Wait = nameof(ErrandBuilder.WaitForStore);
    private const string Workers = nameof(ErrandBuilder.Workers);

    /// <summary>The packages of this repository: a configuration may have sections for both stores, and a program choose one.</summary>
    private static readonly string[] KnownBackends = ["Sqlite", "Postgres"];

    private static readonly string[] Known = ["Queue", "Defaults", "Worker", Workers, "Health", Wait];

    /// <summary>The path of the builder's own sections.</summary>
    internal string Path { get; } = builder.Key is { } key ? $"{Root}:{key}" : Root;

    internal static string WorkerSection(string name) => $"{Workers}:{name}";

    internal OptionValues Values(string section)
    {
        var path = $"{Path}:{section}";
        return new OptionValues(
            path, configuration?.GetSection(path).AsEnumerable(makePathsRelative: true) ?? [],
            name => configuration?.GetConnectionString(name));
    }

    /// <summary>The value that stands beside the sections.</summary>
    internal OptionValues WaitValue() =>
        new(Path, [KeyValuePair.Create(Wait, configuration?[$"{Path}:{Wait}"])]);

    /// <summary>A key that is also the name of a section would give two meanings to what stands in it.</summary>
    internal bool IsAmbiguous(string key) => key.Contains(':') || OfBuilder().Contains(key, StringComparer.OrdinalIgnoreCase);

    internal IEnumerable<string> Problems()
    {
        var own = OfBuilder().ToArray();
        var keys = builder.Services.Where(one => one.ServiceType == typeof(ErrandBuilder)).Select(one => one.ServiceKey).OfType<string>();
        return
        [
            .. builder.Key is null ? Unknown(Root, [.. own, .. keys]) : [.. Unknown(Root, [.. own, .. keys]), .. Unknown(Path, own)],
            .. Unknown($"{Path}:{Workers}", [.. builder.Workers.Keys]),
            .. configuration?[$"{Path}:{Workers}"] is { Length: > 0 } text
                ? [$"{Path}:{Workers} is '{text}'; allowed is a section for each worker ({Path}:{Workers}:slow:Concurrency and so on)"]
                : Array.Empty<string>(),
        ];
    }

    private IEnumerable<string> OfBuilder() => Known.Concat(KnownBackends).Union(builder.BackendSections, StringComparer.OrdinalIgnoreCase);

    private IEnumerable<string> Unknown(string path, string[] known)
    {
        var there = known.Length == 0 ? "there are none" : $"there are {string.Join(", ", known)}";
        return configuration?.GetSection(path).GetChildren()
            .Where(child => !known.Contains(child.Key, StringComparer.OrdinalIgnoreCase))
            .Select(child => $"{child.Path} is no {(path.EndsWith(Workers, StringComparison.Ordinal) ? "worker" : "section")}; {there}") ?? [];
    }
}
