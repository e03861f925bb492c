using System.Globalization;
using Errand.Bench;
using Errand.Bench.Scenarios;
using SQLitePCL;

IScenario[] scenarios = [new Seed(), new Space(), new Live()];
try
{
    var options = Options.Read(args, scenarios);
    Batteries_V2.Init();
    Console.WriteLine(string.Create(
        CultureInfo.InvariantCulture,
        $".NET {Environment.Version}, SQLite {raw.sqlite3_libversion().utf8_to_string()}, "
        + $"{Environment.ProcessorCount} cores, {options.Rounds} rounds: median and min..max"));
    Console.WriteLine();
    var rows = await Measurement.RunAsync(options);
    Report.Print(options.Scenario, rows, Console.Out);
    if (options.Json is { } file)
    {
        Report.WriteJson(options.Scenario, rows, file);
    }

    return 0;
}
catch (UsageException e)
{
    Console.Error.WriteLine(e.Message);
    Console.Error.WriteLine(Options.Usage(scenarios));
    return 2;
}
catch (Exception e)
{
    Console.Error.WriteLine(e);
    return 1;
}
