using System.Globalization;
using System.Text;
using System.Text.Json.Nodes;

namespace Errand.Bench.Reporting;

/// <summary>The page of all runs: the words of <c>benchmarks.md</c> beside this file, with each run where the page names it.</summary>
internal static class Page
{
    private static readonly Dictionary<string, string> Heads = new(StringComparer.Ordinal)
    {
        ["ratioToRaw"] = "ratio to raw", ["ratioToNaive"] = "ratio to naive", ["tasksPerSecond"] = "tasks per second",
    };

    /// <exception cref="FormatException">The page names a run that is not there, or leaves one out.</exception>
    internal static string Of(IReadOnlyDictionary<string, JsonObject> runs)
    {
        var named = new List<string>();
        var page = new StringBuilder();
        foreach (var line in Words())
        {
            if (line.StartsWith("@run ", StringComparison.Ordinal))
            {
                var name = line["@run ".Length..];
                named.Add(name);
                Add(page, name, runs.TryGetValue(name, out var run) ? run : throw new FormatException($"There is no run '{name}'."));
            }
            else
            {
                page.Append(line).Append('\n');
            }
        }

        return runs.Keys.FirstOrDefault(name => !named.Contains(name)) is { } left
            ? throw new FormatException($"The page leaves the run '{left}' out.")
            : page.ToString();
    }

    internal static string Number(double number) =>
        number.ToString(Math.Abs(number) >= 100 ? "N0" : Math.Abs(number) >= 10 ? "0.0" : "0.00#", CultureInfo.InvariantCulture);

    private static IEnumerable<string> Words()
    {
        using var stream = typeof(Page).Assembly.GetManifestResourceStream("benchmarks.md")
            ?? throw new InvalidOperationException("The words of the page are not in the program.");
        using var reader = new StreamReader(stream);
        while (reader.ReadLine() is { } line)
        {
            yield return line;
        }
    }

    private static void Add(StringBuilder page, string name, JsonObject run)
    {
        page.Append(CultureInfo.InvariantCulture, $"""
            {run["engine"]}; median of {run["rounds"]} interleaved rounds; {run["date"]}, commit `{run["commit"]}`, {run["machine"]}.
            Repeat it: `{run["command"]}`

            ![{name}](benchmarks/{name}.svg)


            """);
        var rows = run["rows"]?.AsArray().OfType<JsonObject>().ToList() ?? [];
        string[] keys = [.. rows[0].Select(member => member.Key).Where(key => rows.Exists(row => row[key] is not null))];
        page.Append("| ").AppendJoin(" | ", keys.Select(key => Heads.GetValueOrDefault(key, key))).Append(" |\n|");
        foreach (var key in keys)
        {
            page.Append(rows[0][key] is JsonValue value && value.TryGetValue<string>(out _) ? "---|" : "---:|");
        }

        page.Append('\n');
        foreach (var row in rows)
        {
            page.Append("| ").AppendJoin(" | ", keys.Select(key => Cell(row[key]))).Append(" |\n");
        }
    }

    private static string Cell(JsonNode? value) => value switch
    {
        null => "",
        JsonValue number when number.TryGetValue<double>(out var known) => Number(known),
        _ => value.ToString(),
    };
}
