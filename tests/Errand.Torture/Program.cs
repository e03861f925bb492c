using Errand.PrivatePostgres;
using Errand.Torture;

if (args.FirstOrDefault() is "producer" or "operator" or "worker" or "healer" or "vandal")
{
    await Roles.RunAsync(args);
    return 0;
}

TortureOptions options;
try
{
    options = TortureOptions.Read(args);
}
catch (ArgumentException e)
{
    Console.Error.WriteLine(e.Message);
    return 2;
}

var folder = Directory.CreateTempSubdirectory("errand-torture-").FullName;
await using var cluster = options.Backend == "postgres" ? await PostgresCluster.StartAsync() : null;
await using IStage stage = options.Backend == "memory" ? new MemoryStage(folder, options) : new ProcessStage(
    folder,
    cluster is null
        ? new SqliteStore(Path.Combine(folder, "tasks.db"), options.Durability)
        : new PostgresStore(cluster.ConnectionString(), cluster),
    options);
await stage.PlayAsync();
var checker = new Checker();
checker.Check(History.ReadAll(folder), await stage.ReadFinalsAsync(), Roles.Lease);
var problems = await stage.FindProblemsAsync();
var isOk = checker.IsOk && problems.Count == 0 && checker.HasSeen(kills: stage.Kills);
foreach (var line in problems.Concat(checker.Examples))
{
    Console.WriteLine(line);
}

if (!isOk)
{
    Console.WriteLine($"History and database are in {folder}. To repeat:\n{options.Command}");
}

Console.WriteLine(
    $"tasks={checker.Tasks} second_starts={checker.Reclaims} untruthful={checker.Untruthful} overcharged={checker.Overcharged} "
    + $"miscounted={checker.Miscounted} wrong_ends={checker.WrongEnds} uncancelled={checker.Uncancelled} twins={checker.Twins} "
    + $"unexpired={checker.Unexpired} while_paused={checker.WhilePaused} problems={problems.Count}");
Console.WriteLine(
    $"verdict={(isOk ? "ok" : "broken")} lost={checker.Lost} invented={checker.Invented} overlapping={checker.Overlapping} "
    + $"stale_writes={checker.StaleWrites} effects_not_once={checker.EffectsNotOnce} early={checker.Early} "
    + $"starts={checker.Starts} kills={checker.Kills} fences_seen={checker.Fences} seed={options.Seed} "
    + $"cancels={checker.Cancels} uniques={checker.Refusals} retries={checker.Retries} snoozes={checker.Snoozes} "
    + $"replays={checker.Replays} expired={checker.Expiries} pauses={checker.Pauses}");
if (isOk)
{
    Directory.Delete(folder, recursive: true);
}

return isOk ? 0 : 1;
