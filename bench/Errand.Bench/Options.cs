using System.Globalization;

namespace Errand.Bench;

/// <summary>What the command line asks for.</summary>
internal sealed record Options(IScenario Scenario)
{
    internal int Rounds { get; private init; } = Scenario.Rounds;

    internal int Tasks { get; private init; } = Scenario.Tasks ?? 0;

    internal string? Json { get; private init; }

    internal string Only { get; private init; } = "";

    internal static Options Read(string[] args, IReadOnlyList<IScenario> scenarios)
    {
        var name = args.FirstOrDefault() ?? throw new UsageException("Name a scenario.");
        var options = new Options(
            scenarios.FirstOrDefault(scenario => scenario.Name == name)
            ?? throw new UsageException($"There is no scenario '{name}'."));
        for (var i = 1; i < args.Length; i += 2)
        {
            var value = i + 1 < args.Length ? args[i + 1] : throw new UsageException($"'{args[i]}' lacks its value.");
            options = args[i] switch
            {
                "--json" => options with { Json = value },
                "--rounds" => options with { Rounds = Count(args[i], value) },
                "--tasks" when options.Scenario.Tasks is not null => options with { Tasks = Count(args[i], value) },
                "--only" => options with { Only = value },
                _ => throw new UsageException($"'{name}' has no option '{args[i]}'."),
            };
        }

        return options;
    }

    internal static string Usage(IEnumerable<IScenario> scenarios) => $"""

        Usage: Errand.Bench <scenario> [options]
        {string.Concat(scenarios.Select(scenario => $"\n  {scenario.Name,-12}{scenario.Summary}"))}

          --json <file>   also write the rows there
          --rounds <n>    how often each case is measured
          --tasks <n>     how many tasks; where a scenario has no fixed numbers
          --only <text>   only cases with this in "case, store, durability"

        Files are put in the folder for temporary files (TMPDIR): on a RAM disk their durability costs nothing.
        """;

    private static int Count(string option, string value) =>
        int.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out var count) && count > 0
            ? count
            : throw new UsageException($"'{option}' takes a whole number from 1, not '{value}'.");
}

internal sealed class UsageException(string message) : Exception(message);
