using System.Globalization;
using Errand.Sqlite;

namespace Errand.Torture;

/// <summary>What the command line asks for.</summary>
internal sealed record TortureOptions
{
    internal const string Usage =
        "Usage: torture run [--backend sqlite|memory|postgres] [--durability full|relaxed] [--seed <n>] [--seconds <n>]";

    internal string Backend { get; private init; } = "sqlite";

    internal Durability Durability { get; private init; }

    internal int Seed { get; private init; } = Environment.TickCount;

    internal int Seconds { get; private init; } = 40;

    /// <summary>The line that repeats the run.</summary>
    internal string Command => string.Create(
        CultureInfo.InvariantCulture,
        $"dotnet run -c Release --project tests/Errand.Torture -- run --backend {Backend} "
        + $"--durability {Durability.ToString().ToLowerInvariant()} --seed {Seed} --seconds {Seconds}");

    /// <exception cref="ArgumentException">Something is not understood; the message says what.</exception>
    internal static TortureOptions Read(string[] args)
    {
        if (args.FirstOrDefault() != "run")
        {
            throw new ArgumentException(Usage);
        }

        var options = new TortureOptions();
        for (var i = 1; i < args.Length; i += 2)
        {
            var value = args.ElementAtOrDefault(i + 1) ?? throw new ArgumentException($"'{args[i]}' lacks its value. {Usage}");
            options = args[i] switch
            {
                "--backend" when value is "sqlite" or "memory" or "postgres" => options with { Backend = value },
                "--durability" when Enum.TryParse(value, ignoreCase: true, out Durability durability) =>
                    options with { Durability = durability },
                "--seed" when Number(value) is { } seed => options with { Seed = seed },
                "--seconds" when Number(value) is { } seconds => options with { Seconds = seconds },
                _ => throw new ArgumentException($"'{args[i]} {value}' is not understood. {Usage}"),
            };
        }

        return options;
    }

    private static int? Number(string text) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? number : null;
}
