using Errand.TestKit;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace Errand.Tests.Gauge;

/// <summary>
/// The two stores are read side by side: the same folders, the same files, and statements of the same names in them. What only one of
/// them has is named here, with the reason.
/// </summary>
public sealed class TwinTests(ITestOutputHelper output)
{
    /// <summary>What a file needs and a server does not.</summary>
    private static readonly string[] OnlySqlite =
    [
        // A library in this process: connections, statements, its result codes, other programs that hold the file.
        "Data/BusyPatience.cs", "Data/DatabasePath.cs", "Data/StoreDatabase.cs", "Data/StoreErrorException.cs", "Data/StoreStatement.cs",
        "Data/WalResetBug.cs", "Engine/EnginePoint.cs",
        // While a caller's transaction holds the file, no id can be taken from the counter.
        "Data/SpareIds.cs",
        // The library's own calls, and a file that is replaced, linked or left open to others.
        "Data/FileIdentity.cs", "Data/Native.cs", "Data/PrivateFile.cs",
        // What a commit survives, how large the file is, whether it is sound, and a copy of it: a server has programs for that.
        "Durability.cs", "StoreStorage.cs", "StoreVerification.cs", "Upkeep/Background.cs", "Upkeep/Backup.cs", "Upkeep/BackupFile.cs",
        "Upkeep/LogPresses.cs",
        "Upkeep/TaskInvariants.cs", "Upkeep/Verification.cs", "Upkeep/WriteAheadLog.cs",
        // Reads that wait for nobody who writes; tasks found by name, which PostgreSQL does in its statement.
        "Engine/Readers.cs", "Reserve/QueueRound.cs", "Reserve/ReadyQueues.cs", "Reserve/ReadyTasks.cs",
        // Rows that are not read a second time, which a server does not either: its one statement moves them.
        "Engine/RunningTask.cs", "Settle/RunningTasks.cs",
        // Liveness by lock files and an observer's own clock, wake-ups by a local datagram.
        "Workers/WakeSocket.cs", "Workers/WorkerLockFile.cs", "Workers/WorkerRow.cs", "Workers/WorkerWatch.cs",
    ];

    /// <summary>What a server needs and a file does not.</summary>
    private static readonly string[] OnlyPostgres =
    [
        // A server: one batch for each turn, names and ids before it, a connection that may be lost, a schema that others upgrade.
        "Data/SchemaMark.cs", "Data/StoreClock.cs", "Engine/IUsesNames.cs", "Engine/Preparation.cs", "Engine/SchemaFit.cs",
        "Engine/SchemaWatch.cs", "Engine/Sessions.cs", "Engine/TurnBatch.cs", "Engine/TurnRows.cs", "Inspect/FilterNames.cs",
        "Inspect/Looks.cs", "Inspect/Snapshot.cs", "Inspect/Times.cs",
        // Sets of rows instead of one row at a time.
        "Enqueue/NewRow.cs", "Enqueue/NewRows.cs", "Enqueue/PreparedTasks.cs", "Settle/SettleKind.cs", "Settle/SettleRow.cs",
        "Settle/SettleRows.cs",
        // Many writers: locks of ids and tasks, places in a queue that are looked past, starts whose answer was lost.
        "Engine/HeldKind.cs", "Engine/HeldLocks.cs", "Engine/ILocksTasks.cs", "Enqueue/IdLocks.cs", "Reserve/Floor.cs",
        "Reserve/LeftTasks.cs", "Reserve/Look.cs", "Reserve/QueueLook.cs", "Reserve/Readiness.cs", "Reserve/Undelivered.cs",
        "Settle/HeldTasks.cs",
        // A failover that loses the end of the sequence, and calls that would hold up every other caller.
        "Enqueue/Bulk.cs", "Enqueue/DoubleIds.cs",
        // Heartbeats and notifications have connections of their own.
        "Workers/Heartbeats.cs", "Workers/Notifications.cs",
    ];

    [Fact]
    public void Both_stores_have_the_same_files()
    {
        var sqlite = FilesOf("Errand.Sqlite", "Sqlite");
        var postgres = FilesOf("Errand.PostgreSql", "Postgres");
        output.WriteLine($"{sqlite.Intersect(postgres).Count()} files in both");
        Assert.Equal(OnlySqlite.Order(StringComparer.Ordinal), sqlite.Except(postgres));
        Assert.Equal(OnlyPostgres.Order(StringComparer.Ordinal), postgres.Except(sqlite));
    }

    [Fact]
    public void Statements_of_the_same_name_stand_in_files_of_the_same_name()
    {
        var sqlite = StatementsOf("Errand.Sqlite");
        var postgres = StatementsOf("Errand.PostgreSql");
        var both = sqlite.Keys.Intersect(postgres.Keys, StringComparer.Ordinal).ToList();
        output.WriteLine($"{sqlite.Count} statements of SQLite, {postgres.Count} of PostgreSQL, {both.Count} of the same name");
        output.WriteLine("SQLite alone: " + string.Join(", ", sqlite.Keys.Except(both)));
        output.WriteLine("PostgreSQL alone: " + string.Join(", ", postgres.Keys.Except(both)));
        Assert.All(both, name => Assert.Equal(sqlite[name], postgres[name]));
    }

    [Fact]
    public void Files_of_the_same_name_declare_types_of_the_same_name()
    {
        var sqlite = TypesOf("Errand.Sqlite");
        var postgres = TypesOf("Errand.PostgreSql");
        Assert.All(sqlite.Keys.Intersect(postgres.Keys), file => Assert.Equal(sqlite[file], postgres[file]));
    }

    private static List<string> FilesOf(string project, string prefix) =>
        [.. Sources(project).Select(file => file.Path.Replace(prefix, "Store", StringComparison.Ordinal)).Order(StringComparer.Ordinal)];

    private static Dictionary<string, string> StatementsOf(string project) => Sources(project)
        .SelectMany(file => file.Root.DescendantNodes().OfType<VariableDeclaratorSyntax>()
            .Where(field => field.Identifier.Text.EndsWith("Sql", StringComparison.Ordinal)
                && field.Parent?.Parent is FieldDeclarationSyntax declaration && declaration.Modifiers.Any(SyntaxKind.ConstKeyword))
            .Select(field => (Name: field.Identifier.Text, File: Path.GetFileName(file.Path))))
        .GroupBy(one => one.Name, StringComparer.Ordinal).ToDictionary(one => one.Key, one => one.First().File, StringComparer.Ordinal);

    private static Dictionary<string, string> TypesOf(string project) => Sources(project).ToDictionary(
        file => file.Path,
        file => string.Join(", ", file.Root.DescendantNodes().OfType<BaseTypeDeclarationSyntax>()
            .Where(type => type.Parent is BaseNamespaceDeclarationSyntax).Select(type => type.Identifier.Text)),
        StringComparer.Ordinal);

    private static IEnumerable<(string Path, CompilationUnitSyntax Root)> Sources(string project)
    {
        var folder = Path.Combine(RepositoryRoot.Path, "src", project);
        return Directory.GetFiles(folder, "*.cs", SearchOption.AllDirectories)
            .Select(file => (Path: Path.GetRelativePath(folder, file).Replace(Path.DirectorySeparatorChar, '/'), File: file))
            .Where(file => !file.Path.StartsWith("bin/", StringComparison.Ordinal) && !file.Path.StartsWith("obj/", StringComparison.Ordinal))
            .Select(file => (file.Path, CSharpSyntaxTree.ParseText(File.ReadAllText(file.File)).GetCompilationUnitRoot()));
    }
}
