using System.Globalization;
using Errand.Bench;
using Errand.Bench.Scenarios;
using SQLitePCL;

IScenario[] scenarios = [new Seed(), new Space(), new Limit()];
Options options;
try
{
    options = Options.Read(args, scenarios);
}
catch (ArgumentException e)
{
    Console.Error.WriteLine($"{e.Message}\n{Options.Usage(scenarios)}");
    return 2;
}

Batteries_V2.Init();
Console.WriteLine(string.Create(
    CultureInfo.InvariantCulture,
    $".NET {Environment.Version}, SQLite {raw.sqlite3_libversion().utf8_to_string()}, "
    + $"{Environment.ProcessorCount} cores; median and min..max of {options.Rounds} interleaved rounds\n"));
var rows = await Measurement.RunAsync(options);
Report.Print(options.Scenario, rows, Console.Out);
if (options.Json is { } file)
{
    Report.WriteJson(options.Scenario, rows, file);
}

return 0;
