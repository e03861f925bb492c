using System.Diagnostics.Metrics;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Errand.Sqlite;
using Errand.TestKit;

namespace Errand.Tests;

/// <summary>The dashboard for Grafana shows what is measured, under the names that Prometheus gives it.</summary>
public sealed partial class DashboardTests
{
    [GeneratedRegex(@"\b(?:errand|messaging)_\w+?(?=\{)", RegexOptions.None, 1_000)]
    private static partial Regex Series { get; }

    [Fact]
    public async Task Every_series_is_that_of_an_instrument_and_every_instrument_is_shown()
    {
        var text = await File.ReadAllTextAsync(
            Path.Combine(RepositoryRoot.Path, "assets/grafana/errand.json"), TestContext.Current.CancellationToken);
        var panels = JsonNode.Parse(text)!["panels"]!.AsArray();
        var shown = panels.SelectMany(panel => panel!["targets"]?.AsArray() ?? [])
            .SelectMany(target => Series.Matches(target!["expr"]!.GetValue<string>())).Select(match => match.Value).ToHashSet();
        var instruments = await InstrumentsAsync();

        Assert.Empty(shown.Except(instruments.SelectMany(NamesOf)));
        Assert.All(instruments, one => Assert.True(NamesOf(one).Any(shown.Contains), one.Name));
        Assert.Equal(panels.Count, panels.Select(panel => panel!["id"]!.GetValue<int>()).Distinct().Count());
    }

    /// <summary>As the exporter and the collector translate names: the unit is appended, and what is in braces is no unit.</summary>
    private static IEnumerable<string> NamesOf(Instrument instrument)
    {
        var name = instrument.Name.Replace('.', '_') + (instrument.Unit == "s" ? "_seconds" : "");
        return instrument.GetType().Name.Split('`')[0] switch
        {
            "Counter" => [name + "_total"],
            "Histogram" => [name + "_bucket", name + "_sum", name + "_count"],
            _ => [name],
        };
    }

    private static async Task<List<Instrument>> InstrumentsAsync()
    {
        await using var backend = new SqliteBackend(":memory:");
        await backend.InitializeAsync(TestContext.Current.CancellationToken); // Instruments exist from the first use.
        List<Instrument> found = [];
        using var listener = new MeterListener
        {
            InstrumentPublished = (instrument, _) =>
            {
                if (instrument.Meter.Name == ErrandTelemetry.MeterName)
                {
                    found.Add(instrument);
                }
            },
        };
        listener.Start();
        return found;
    }
}
