using System.Globalization;

namespace Errand.Bench;

/// <summary>What the command line asks for.</summary>
internal sealed record Options(IScenario Scenario, int Rounds, int Tasks)
{
    private const string BackendOption = "--backend";

    internal string? Json { get; private init; }

    internal string Only { get; private init; } = "";

    /// <summary>What repeats the run.</summary>
    internal string Command => string.Create(
        CultureInfo.InvariantCulture,
        $"dotnet run -c Release --project bench/Errand.Bench -- {Scenario.Name} {BackendOption} {Scenario.Backend} --rounds {Rounds}")
        + (Scenario.Tasks is null || Scenario.Tasks == Tasks ? "" : string.Create(CultureInfo.InvariantCulture, $" --tasks {Tasks}"))
        + (Only == "" ? "" : $" --only \"{Only}\"");

    /// <exception cref="ArgumentException">There is no such scenario or option; the message says which.</exception>
    internal static Options Read(string[] args, IReadOnlyList<IScenario> scenarios)
    {
        var name = args.FirstOrDefault() ?? throw new ArgumentException("Name a scenario.");
        var backend = args.SkipWhile(arg => arg != BackendOption).ElementAtOrDefault(1);
        var scenario = scenarios.FirstOrDefault(one => one.Name == name && one.Backend == (backend ?? one.Backend))
            ?? throw new ArgumentException(
                $"There is no scenario '{name}'" + (backend is null ? "." : $" of the backend '{backend}'."));
        var options = new Options(scenario, scenario.Rounds, scenario.Tasks ?? 0);
        for (var i = 1; i < args.Length; i += 2)
        {
            var value = args.ElementAtOrDefault(i + 1)
                ?? throw new ArgumentException($"'{args[i]}' lacks its value.");
            options = args[i] switch
            {
                BackendOption => options, // It has chosen the scenario.
                "--json" => options with { Json = value },
                "--rounds" => options with { Rounds = Count(args[i], value) },
                "--tasks" when scenario.Tasks is not null => options with { Tasks = Count(args[i], value) },
                "--only" => options with { Only = value },
                _ => throw new ArgumentException($"'{name}' has no option '{args[i]}'."),
            };
        }

        return options;
    }

    internal static string Usage(IEnumerable<IScenario> scenarios) => $"""

        Usage: Errand.Bench <scenario> [options]
               Errand.Bench report [<scenario> [options]]
        {string.Concat(scenarios.Select(one => $"\n  {one.Name,-12}{one.Backend,-10}{one.Summary}"))}

        'report' runs every scenario, or the one that is named, each in a process of its own, and writes docs/benchmarks.md.

          --backend <b>   which, where a scenario is there for both; default is sqlite
          --json <file>   also write the rows there
          --rounds <n>    how often each case is measured
          --tasks <n>     how many tasks; not where a scenario has numbers of its own
          --only <text>   only cases with this in "case, store, durability"

        Files are put in the folder for temporary files (TMPDIR): on a RAM disk their durability costs nothing.
        PostgreSQL is a server started for the run in that folder, or the one of the connection string in the variable
        ERRAND_TEST_POSTGRES.
        """;

    private static int Count(string option, string value) =>
        int.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out var count) && count > 0
            ? count
            : throw new ArgumentException($"'{option}' takes a whole number from 1, not '{value}'.");
}
