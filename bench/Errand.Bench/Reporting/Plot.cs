using System.Globalization;
using System.Security;
using System.Text;
using System.Text.Json.Nodes;

namespace Errand.Bench.Reporting;

/// <summary>A run as bars in SVG: the ratio to the limit where a run has it, else its first metric.</summary>
internal static class Plot
{
    private const int Labels = 330;
    private const int Bars = 400;
    private const int LineHeight = 20;
    private const int Top = 34;

    /// <summary>Beyond this ratio lengths are logarithmic; the shortest bars would be invisible otherwise.</summary>
    private const double MostLinear = 50;

    private static readonly Dictionary<string, string> Colors = new(StringComparer.Ordinal)
    {
        ["none"] = "#7b6bb0", ["full"] = "#2f7d6b", ["relaxed"] = "#c0843a",
    };

    internal static string Of(JsonObject run)
    {
        var rows = run["rows"]?.AsArray().OfType<JsonObject>().ToList() ?? [];
        var metric = rows.Exists(row => row["ratioToRaw"] is not null) ? "ratioToRaw" : FirstMetric(rows[0]);
        rows = rows.FindAll(row => row[metric] is not null);
        var values = rows.ConvertAll(row => row[metric]?.GetValue<double>() ?? 0);
        var (most, least) = (values.Max(), values.Where(value => value > 0).DefaultIfEmpty(1).Min());
        var isLogarithmic = most / least > MostLinear;
        var height = Top + rows.Count * LineHeight + 10;
        var svg = new StringBuilder();
        Add(svg, $"""
            <svg xmlns="http://www.w3.org/2000/svg" width="820" height="{height}" font-family="sans-serif" font-size="12">
            <rect width="100%" height="100%" fill="#ffffff"/>
            <text x="10" y="20" font-weight="bold">{run["scenario"]}: {metric}{(isLogarithmic ? " (lengths are logarithmic)" : "")}</text>

            """);
        for (var i = 0; i < rows.Count; i++)
        {
            var (row, y) = (rows[i], Top + i * LineHeight);
            var part = isLogarithmic ? Math.Log(values[i] / least * 2) / Math.Log(most / least * 2) : values[i] / most;
            var length = values[i] <= 0 ? 0 : part * Bars;
            var color = Colors.GetValueOrDefault($"{row["durability"]}", "#555555");
            Add(svg, $"""
                <text x="{Labels - 8}" y="{y + 13}" text-anchor="end">{SecurityElement.Escape($"{row["case"]}, {row["store"]} {row["durability"]}")}</text>
                <rect x="{Labels}" y="{y + 2}" width="{length:0.0}" height="14" fill="{color}"/>
                <text x="{Labels + length + 5:0.0}" y="{y + 13}">{Page.Number(values[i])}</text>

                """);
        }

        return svg.Append("</svg>\n").ToString();
    }

    private static string FirstMetric(JsonObject row) => row.Select(member => member.Key).SkipWhile(key => key != "tasks").ElementAt(1);

    private static void Add(StringBuilder svg, FormattableString text) => svg.Append(text.ToString(CultureInfo.InvariantCulture));
}
