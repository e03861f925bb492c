using System.Globalization;
using Errand.Bench;
using Errand.Bench.Crew;
using Errand.Bench.Postgres;
using Errand.Bench.Reporting;
using Errand.Bench.Scenarios;
using SQLitePCL;

#if DEBUG
Console.Error.WriteLine("Figures of a debug build mean nothing: run it with -c Release.");
return 2;
#else
if (args is [Member.Role, ..])
{
    return await Member.RunAsync(args);
}

await using var server = new PostgresServer();
var (files, onServer) = (new Site(), new Site(server));
IScenario[] scenarios =
[
    new Seed(), new Limit(), new Latency(files), new Idle(files), new Memory(files), new Growth(files), new Queues(files), new Processes(),
    new Strain(), new Space(),
    new PostgresLimit(server), new Latency(onServer), new Idle(onServer), new Memory(onServer), new Growth(onServer), new Queues(onServer),
    new Strain(server), new Sustained(server),
];
if (args is [Runs.Verb, ..])
{
    return await Runs.ReportAsync(args, scenarios);
}

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
var engine = options.Scenario.Backend == PostgresServer.Backend
    ? await server.StartAsync()
    : $"SQLite {raw.sqlite3_libversion().utf8_to_string()}";
Console.WriteLine(string.Create(
    CultureInfo.InvariantCulture,
    $".NET {Environment.Version}, {engine}, "
    + $"{Environment.ProcessorCount} cores; median and min..max of {options.Rounds} interleaved rounds\n"));
var rows = await Measurement.RunAsync(options);
Report.Print(options.Scenario, rows, Console.Out);
if (options.Json is { } file)
{
    Report.WriteJson(options, engine, rows, file);
}

return 0;
#endif
