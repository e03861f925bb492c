using Errand.TestKit;

namespace Errand.Tests;

/// <summary>One guard of the engine switched off, as a change to the text of its source.</summary>
/// <param name="Name">What the queue is like then.</param>
/// <param name="Edits">In which file under src, what is replaced, wherever it stands, by what.</param>
public sealed record Mutant(string Name, params (string File, string Guard, string Without)[] Edits)
{
    public static IReadOnlyList<Mutant> All { get; } =
    [
        new(
            "fence removed",
            (
                "Errand.Sqlite/Engine/Turn.cs",
                "id = @id and epoch = @epoch and {Owned}",
                "id = @id and @epoch = @epoch and {Owned}"),
            ("Errand.Sqlite/Engine/Turn.cs", "owner = @owner and state = 12", "@owner = @owner and state = 12"),
            ( // Else a worker that has noticed its loss in time asks for nothing that the fence would have to stop.
                "Errand.Core/TaskExecution.cs",
                "for (var failures = 0; !_incarnation.IsOver; failures++)",
                "for (var failures = 0; failures < 1_000; failures++)"))
        {
            Seconds = 60, // It takes a worker that wakes while another runs what it had.
        },
        new("lease ignored", (
            "Errand.Sqlite/Workers/WorkerWatch.cs", "return unheard >= lease;", "return unheard > TimeSpan.Zero;")),
        new("acknowledged before commit", (
            "Errand.Core/Engine/TurnLoop.cs",
            "            await CommitAsync(turn)",
            // As on a slow disk: a kill must meet the moment between the two.
            "            CompleteAll(enqueues);\n            Thread.Sleep(20);\n            await CommitAsync(turn)")),
        new(
            "wake-up only",
            (
                "Errand.Sqlite/Workers/Neighbours.cs",
                "if (reader.Database.LookForChange())",
                "if (_pace.Interval == TimeSpan.Zero && reader.Database.LookForChange())"),
            (
                "Errand.Sqlite/Reserve/Reserving.cs",
                "        _readyVersion++;\n        if (why is",
                "        _readyVersion += why == Doubt.OthersWrote ? 0 : 1;\n        if (why is"),
            (
                "Errand.Sqlite/Reserve/Reserving.cs",
                "internal void Add(Waiting worker) => _waiting.Add(worker);",
                "internal void Add(Waiting worker)\n    {\n        worker.NoteSeen(_readyVersion);\n        _waiting.Add(worker);\n    }")),
        new(
            "unique keys ignored",
            (
                "Errand.Sqlite/Migrations/0001_errand.sql",
                "create unique index errand_tasks_unique on",
                "create index errand_tasks_unique on"),
            ("Errand.Sqlite/Enqueue/Enqueuing.cs", "if (task.UniqueKey is { } key", "if (task.UniqueKey is { Length: 0 } key"))
        {
            Seconds = 10,
        },
        new("cancelled tasks tried again", (
            "Errand.Sqlite/Settle/Settling.cs",
            "        set    state = @state, owner = @nobody, due = @due\n        where  {Turn.Fence} and cancelled is null",
            "        set    state = @state, owner = @nobody, due = @due\n        where  {Turn.Fence}"))
        {
            Seconds = 10,
        },
        new(
            "id taken for its own after a conflict",
            ("Errand.Sqlite/Enqueue/Enqueuing.cs", "var before = MayBeDone ? _enqueued[i] : default;", "var before = _enqueued[i];"),
            ( // Else an id that somebody has named is passed over, and there is no conflict.
                "Errand.Sqlite/Enqueue/Enqueuing.cs", "            turn.Avoid(given.Value);\n", ""))
        {
            Seconds = 10,
            Backend = "memory",
        },
        new("orphan not given back", ("Errand.Sqlite/Workers/Sweep.cs", "        ReleaseOrphans(turn);\n", "")),
    ];

    /// <summary>On which store it is caught: in memory, where no answer is lost, callers may do what they should not.</summary>
    public string Backend { get; private init; } = "sqlite";

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
            var path = Path.Combine(folder, "src", name);
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
