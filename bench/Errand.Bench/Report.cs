using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Errand.Bench;

/// <summary>Rows as a table for people (and Markdown), and as JSON for programs.</summary>
internal static class Report
{
    private const int WordColumns = 3; // To the left; the numbers after them to the right.

    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true };

    internal static void Print(IScenario scenario, IReadOnlyList<Row> rows, TextWriter output)
    {
        List<string[]> lines =
        [
            ["case", "store", "durability", "tasks", scenario.Metric, "min..max", "original", "ratio"],
            .. rows.Select(Cells),
        ];
        if (rows.All(row => row.Case.Original is null))
        {
            lines = lines.ConvertAll(line => line[..^2]);
        }

        var widths = lines[0].Select((_, column) => lines.Max(line => line[column].Length)).ToArray();
        lines.Insert(1, [.. widths.Select((width, i) => new string('-', width - 1) + (i < WordColumns ? '-' : ':'))]);
        foreach (var line in lines)
        {
            var cells = line.Select((cell, i) => i < WordColumns ? cell.PadRight(widths[i]) : cell.PadLeft(widths[i]));
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
            [scenario.Metric] = Math.Round(row.Median, 1),
        })]);
        File.WriteAllText(file, array.ToJsonString(Indented) + "\n");
    }

    private static string[] Cells(Row row) =>
    [
        row.Case.Name, row.Case.Store.Kind, row.Case.Store.Durability, Number(row.Case.Tasks), Number(row.Median),
        $"{Number(row.Samples.Min())}..{Number(row.Samples.Max())}",
        row.Case.Original is { } original ? Number(original) : "",
        row.Case.Original is { } same ? Number(row.Median / same, "0.0") : "",
    ];

    private static string Number(double number, string format = "#,0") =>
        number.ToString(format, CultureInfo.InvariantCulture);
}
