using System.Reflection;
using Errand.Hosting;
using Errand.PostgreSql;
using Errand.Sqlite;
using Errand.Testing;

namespace Errand.Tests;

/// <summary>Who may know whom.</summary>
public sealed class ArchitectureTests
{
    private static IEnumerable<string> References(Assembly assembly) => assembly
        .GetReferencedAssemblies().Select(reference => reference.Name!)
        .Where(name => !name.StartsWith("System.", StringComparison.Ordinal));

    [Fact]
    public void Core_knows_logging_abstractions_and_nothing_else() =>
        Assert.Equal("Microsoft.Extensions.Logging.Abstractions", Assert.Single(References(typeof(TaskQueue).Assembly)));

    [Fact]
    public void Sqlite_knows_core_logging_abstractions_and_sqlite() =>
        Assert.All(
            References(typeof(SqliteBackend).Assembly),
            name => Assert.True(
                name is "Errand.Core" or "Microsoft.Data.Sqlite" or "Microsoft.Extensions.Logging.Abstractions" || name.StartsWith("SQLitePCLRaw.", StringComparison.Ordinal),
                name));

    [Fact]
    public void Hosting_knows_core_and_the_extensions_of_the_framework_and_no_backend() =>
        Assert.All(
            References(typeof(ErrandBuilder).Assembly),
            name => Assert.True(name == "Errand.Core" || name.StartsWith("Microsoft.Extensions.", StringComparison.Ordinal), name));

    [Fact]
    public void PostgreSql_knows_core_logging_abstractions_and_npgsql() =>
        Assert.All(
            References(typeof(PostgresBackend).Assembly),
            name => Assert.True(name is "Errand.Core" or "Npgsql" or "Microsoft.Extensions.Logging.Abstractions", name));

    [Fact]
    public void Testing_knows_core_sqlite_logging_abstractions_and_the_fake_clock() =>
        Assert.All(
            References(typeof(ErrandTest).Assembly),
            name => Assert.True(
                name is "Errand.Core" or "Errand.Sqlite" or "Microsoft.Extensions.Logging.Abstractions"
                    or "Microsoft.Extensions.TimeProvider.Testing",
                name));

    [Fact]
    public void Public_types_of_core_live_in_the_root_namespace() =>
        Assert.All(typeof(TaskQueue).Assembly.GetExportedTypes(), type => Assert.Equal("Errand", type.Namespace));

    [Fact]
    public void No_public_type_hides_one_of_the_frameworks_task_types() =>
        Assert.DoesNotContain(
            typeof(TaskQueue).Assembly.GetExportedTypes(),
            type => typeof(Task).Assembly.GetType($"System.Threading.Tasks.{type.Name}") is not null);
}
