using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Errand.Bench.Reporting;

/// <summary>Rows as a table for people (and Markdown), and as JSON for programs.</summary>
internal static class Report
{
    private const int WordColumns = 3; // To the left; the numbers after them to the right.

    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true };

    internal static void Print(IScenario scenario, IReadOnlyList<Row> rows, TextWriter output)
    {
        var metrics = scenario.Metrics;
        string[] heads =
        [
            "case", "store", "durability", "tasks", metrics[0].Name, "min..max",
            .. metrics.Skip(1).Select(metric => metric.Name),
            "original", "ratio", "ratioToRaw", "ratioToNaive",
        ];
        List<string[]> lines = [heads, .. rows.Select(row => Cells(row, metrics, rows))];
        var columns = Enumerable.Range(0, heads.Length);
        var used = columns.Where(column => lines.Skip(1).Any(line => line[column] != "")).ToArray();
        lines = lines.ConvertAll(line => Array.ConvertAll(used, column => line[column]));

        var widths = lines[0].Select((_, column) => lines.Max(line => line[column].Length)).ToArray();
        lines.Insert(1, [.. widths.Select((width, i) => new string('-', width - 1) + (i < WordColumns ? '-' : ':'))]);
        foreach (var line in lines)
        {
            var cells = line.Select((cell, i) => i < WordColumns ? cell.PadRight(widths[i]) : cell.PadLeft(widths[i]));
            output.WriteLine($"| {string.Join(" | ", cells)} |");
        }
    }

    /// <summary>One run: what repeats it, where and when it was, and its rows.</summary>
    internal static void WriteJson(Options options, string engine, IReadOnlyList<Row> rows, string file)
    {
        var scenario = options.Scenario;
        var run = new JsonObject
        {
            ["scenario"] = scenario.Name,
            ["backend"] = scenario.Backend,
            ["command"] = options.Command,
            ["rounds"] = options.Rounds,
            ["engine"] = engine,
            ["machine"] = Machine.Description,
            ["commit"] = Machine.Commit,
            ["date"] = $"{TimeProvider.System.GetUtcNow():yyyy-MM-dd}",
            ["rows"] = new JsonArray([.. rows.Select(row => Json(scenario, row, rows))]),
        };
        File.WriteAllText(file, run.ToJsonString(Indented) + "\n");
    }

    private static string[] Cells(Row row, IReadOnlyList<Metric> metrics, IReadOnlyList<Row> rows) =>
    [
        row.Case.Name, row.Case.Store.Kind, row.Case.Store.Durability, Number(row.Case.Tasks), Told(row, metrics, 0),
        $"{Number(row.Of(0).Min(), metrics[0].Decimals)}..{Number(row.Of(0).Max(), metrics[0].Decimals)}",
        .. Enumerable.Range(1, metrics.Count - 1).Select(metric => Told(row, metrics, metric)),
        Number(row.Case.Original), Number(Summary(row, metrics, 0) / row.Case.Original, 1),
        Number(row.RatioTo(row.Case.Raw, rows), 3), Number(row.RatioTo(row.Case.Naive, rows), 2),
    ];

    private static JsonObject Json(IScenario scenario, Row row, IReadOnlyList<Row> rows)
    {
        var json = new JsonObject
        {
            ["case"] = row.Case.Name,
            ["store"] = row.Case.Store.Kind,
            ["durability"] = row.Case.Store.Durability,
            ["tasks"] = row.Case.Tasks,
        };
        for (var metric = 0; metric < scenario.Metrics.Count; metric++)
        {
            var decimals = Math.Max(1, scenario.Metrics[metric].Decimals);
            json[scenario.Metrics[metric].Name] = Math.Round(Summary(row, scenario.Metrics, metric), decimals);
            if (metric == 0)
            {
                json["least"] = Math.Round(row.Of(0).Min(), decimals);
                json["most"] = Math.Round(row.Of(0).Max(), decimals);
            }
        }

        json["ratioToRaw"] = Rounded(row.RatioTo(row.Case.Raw, rows));
        json["ratioToNaive"] = Rounded(row.RatioTo(row.Case.Naive, rows));
        return json;
    }

    private static double Summary(Row row, IReadOnlyList<Metric> metrics, int metric) =>
        metrics[metric].IsWorst ? row.Of(metric).Max() : Row.Median(row.Of(metric));

    private static string Told(Row row, IReadOnlyList<Metric> metrics, int metric) =>
        Number(Summary(row, metrics, metric), metrics[metric].Decimals);

    private static string Number(double? number, int decimals = 0) =>
        number?.ToString($"N{decimals}", CultureInfo.InvariantCulture) ?? "";

    private static double? Rounded(double? ratio) => ratio is { } known ? Math.Round(known, 4) : null;
}
