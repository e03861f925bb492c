using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Errand.Bench;

/// <summary>Rows as a table for people, and as JSON for programs.</summary>
internal static class Report
{
    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true };

    internal static void Print(IScenario scenario, IReadOnlyList<Row> rows, TextWriter output)
    {
        List<string[]> lines = [["case", "store", "durability", "tasks", scenario.Metric.Heading, "min..max"]];
        lines.AddRange(rows.Select(row => new[]
        {
            row.Case.Name, row.Case.Store.Kind, row.Case.Store.Durability, Whole(row.Case.Tasks), Whole(row.Median),
            $"{Whole(row.Samples.Min())}..{Whole(row.Samples.Max())}",
        }));
        if (rows.Any(row => row.Case.Original is not null))
        {
            lines[0] = [.. lines[0], "original", "ratio"];
            for (var i = 0; i < rows.Count; i++)
            {
                lines[i + 1] = rows[i].Case.Original is { } original
                    ? [.. lines[i + 1], Whole(original), string.Create(CultureInfo.InvariantCulture, $"{rows[i].Median / original:0.0}")]
                    : [.. lines[i + 1], "", ""];
            }
        }

        // As Markdown: words to the left, numbers to the right.
        var widths = lines[0].Select((_, column) => lines.Max(line => line[column].Length)).ToArray();
        lines.Insert(1, [.. widths.Select((width, column) => new string('-', width - 1) + (column < 3 ? '-' : ':'))]);
        foreach (var line in lines)
        {
            var cells = line.Select((cell, i) => i < 3 ? cell.PadRight(widths[i]) : cell.PadLeft(widths[i]));
            output.WriteLine($"| {string.Join(" | ", cells)} |");
        }
    }

    internal static void WriteJson(IScenario scenario, IEnumerable<Row> rows, string file)
    {
        var array = new JsonArray([.. rows.Select(row => new JsonObject
        {
            ["scenario"] = scenario.Name,
            ["store"] = row.Case.Store.Kind,
            ["durability"] = row.Case.Store.Durability,
            ["case"] = row.Case.Name,
            ["tasks"] = row.Case.Tasks,
            [scenario.Metric.JsonName] = Math.Round(row.Median, 1),
        })]);
        File.WriteAllText(file, array.ToJsonString(Indented) + "\n");
    }

    private static string Whole(double number) => number.ToString("#,0", CultureInfo.InvariantCulture);
}
