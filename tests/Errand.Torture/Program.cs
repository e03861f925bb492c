using System.Globalization;
using Errand.Sqlite;
using Errand.Torture;

const string Usage = "Usage: torture run [--durability full|relaxed] [--seed <n>] [--seconds <n>]";
if (args.FirstOrDefault() is "producer" or "worker" or "vandal")
{
    await Roles.RunAsync(args);
    return 0;
}

if (args.FirstOrDefault() != "run" || args.Length % 2 == 0)
{
    Console.Error.WriteLine(Usage);
    return 2;
}

var durability = Durability.Full;
var seed = Environment.TickCount;
var seconds = 40;
for (var i = 1; i < args.Length; i += 2)
{
    switch (args[i])
    {
        case "--durability" when Enum.TryParse(args[i + 1], ignoreCase: true, out Durability given):
            durability = given;
            break;
        case "--seed" when int.TryParse(args[i + 1], CultureInfo.InvariantCulture, out var number):
            seed = number;
            break;
        case "--seconds" when int.TryParse(args[i + 1], CultureInfo.InvariantCulture, out var number):
            seconds = number;
            break;
        default:
            Console.Error.WriteLine($"'{args[i]} {args[i + 1]}' is not understood. {Usage}");
            return 2;
    }
}

var folder = Directory.CreateTempSubdirectory("errand-torture-").FullName;
using var supervisor = new Supervisor(folder, durability, seed, TimeSpan.FromSeconds(seconds));
if (await supervisor.RunAsync())
{
    Directory.Delete(folder, recursive: true);
    return 0;
}

Console.Error.WriteLine($"History and database are in {folder}. To repeat:");
Console.Error.WriteLine(
    $"dotnet run -c Release --project tests/Errand.Torture -- run --durability {durability} --seed {seed} --seconds {seconds}");
return 1;
