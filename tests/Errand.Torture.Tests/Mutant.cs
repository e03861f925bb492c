using Errand.TestKit;

namespace Errand.Tests;

/// <summary>One guard of the engine switched off, as a change to the text of its source.</summary>
/// <param name="Name">What the queue is like then.</param>
/// <param name="Edits">In which file of Errand.Sqlite, what is replaced, wherever it stands, by what.</param>
public sealed record Mutant(string Name, params (string File, string Guard, string Without)[] Edits)
{
    public static IReadOnlyList<Mutant> All { get; } =
    [
        new("fence removed", (
            "SqliteBackend.Settle.cs",
            "where  id = @id and owner = @owner and epoch = @epoch and state = 12",
            "where  id = @id and @owner = @owner and @epoch = @epoch and state = 12")),
        new("lease ignored", ("Engine/WorkerWatch.cs", "return unheard >= lease;", "return unheard > TimeSpan.Zero;")),
        new("acknowledged before commit", (
            "SqliteBackend.Turn.cs",
            "            Commit();\n        }\n        catch",
            "            CompleteAll(enqueues);\n            Commit();\n        }\n        catch")),
        new(
            "wake-up only",
            ("SqliteBackend.Strangers.cs", "if (Database.Statement(", "if (_pollInterval == TimeSpan.Zero && Database.Statement("),
            (
                "SqliteBackend.Transaction.cs",
                "        _dataVersion = version;\n        _readyVersion++;",
                "        _dataVersion = version;\n        _readyVersion += _pollInterval <= ShortestPoll ? 1 : 0;"),
            ("SqliteBackend.Reserve.cs", "SeenVersion { get; set; } = -1;", "SeenVersion { get; set; } = backend._readyVersion;")),
        new(
            "unique keys ignored",
            ("Migrations/0001_tasks.sql", "create unique index tasks_unique on", "create index tasks_unique on"),
            ("SqliteBackend.Enqueue.cs", "if (tasks[i].UniqueKey is { } key", "if (tasks[i].UniqueKey is { Length: 0 } key"))
        {
            Seconds = 10,
        },
        new("cancelled tasks tried again", (
            "SqliteBackend.Settle.cs",
            "        set    state = @state, owner = @nobody, due = @due\n"
            + "        where  id = @id and owner = @owner and epoch = @epoch and state = 12 and cancelled is null",
            "        set    state = @state, owner = @nobody, due = @due\n"
            + "        where  id = @id and owner = @owner and epoch = @epoch and state = 12"))
        {
            Seconds = 10,
        },
    ];

    /// <summary>How long it takes to be caught, nearly always.</summary>
    public int Seconds { get; private init; } = 20;

    /// <summary>Copies what the torture program is built from, and switches the guard off in the copy.</summary>
    public void WriteTo(string folder)
    {
        foreach (var file in Sources())
        {
            var to = Path.Combine(folder, Path.GetRelativePath(RepositoryRoot.Path, file));
            Directory.CreateDirectory(Path.GetDirectoryName(to)!);
            File.Copy(file, to);
        }

        foreach (var (name, guard, without) in Edits)
        {
            var path = Path.Combine(folder, "src/Errand.Sqlite", name);
            var text = File.ReadAllText(path);
            Assert.Contains(guard, text, StringComparison.Ordinal);
            File.WriteAllText(path, text.Replace(guard, without, StringComparison.Ordinal));
        }
    }

    public override string ToString() => Name;

    private static IEnumerable<string> Sources()
    {
        string[] single =
            ["Directory.Build.props", "Directory.Packages.props", "BannedSymbols.txt", "global.json", "tests/Directory.Build.props"];
        string[] folders = ["src", "tests/Errand.PrivatePostgres", "tests/Errand.TestKit", "tests/Errand.Torture"];
        return
        [
            .. single.Select(name => Path.Combine(RepositoryRoot.Path, name)),
            .. folders
                .SelectMany(name => Directory.GetFiles(Path.Combine(RepositoryRoot.Path, name), "*", SearchOption.AllDirectories))
                .Where(file => !file.Split(Path.DirectorySeparatorChar).Any(part => part is "bin" or "obj")),
        ];
    }
}
