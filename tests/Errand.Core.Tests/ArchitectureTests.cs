using System.Reflection;
using Errand.Hosting;
using Errand.PostgreSql;
using Errand.Sqlite;
using Errand.Testing;

namespace Errand.Tests;

/// <summary>Who may know whom.</summary>
public sealed class ArchitectureTests
{
    private static readonly Assembly[] Packages =
    [
        typeof(TaskQueue).Assembly, typeof(ErrandBuilder).Assembly, typeof(PostgresBackend).Assembly, typeof(SqliteBackend).Assembly,
        typeof(ErrandTest).Assembly, typeof(UnsavedTask).Assembly,
    ];

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
    public void EntityFrameworkCore_knows_core_and_entity_framework_and_no_backend() =>
        Assert.All(
            References(typeof(UnsavedTask).Assembly),
            name => Assert.True(
                name == "Errand.Core" || name.StartsWith("Microsoft.EntityFrameworkCore", StringComparison.Ordinal)
                    || name.StartsWith("Microsoft.Extensions.", StringComparison.Ordinal),
                name));

    [Fact]
    public void OpenTelemetry_knows_core_and_the_interface_of_open_telemetry() =>
        Assert.All(
            References(typeof(OpenTelemetry.Trace.ErrandTracerProviderBuilderExtensions).Assembly),
            name => Assert.True(name is "Errand.Core" or "OpenTelemetry.Api", name));

    [Fact]
    public void Testing_knows_hosting_and_sqlite_below_and_no_other_store() =>
        Assert.All(
            References(typeof(ErrandTest).Assembly),
            name => Assert.True(
                name is "Errand.Core" or "Errand.Hosting" or "Errand.Sqlite" or "Microsoft.Data.Sqlite" or "SQLitePCLRaw.core"
                    || name.StartsWith("Microsoft.Extensions.", StringComparison.Ordinal),
                name));

    /// <summary>A caller finds the words of a caller in <c>Errand</c>; those of a backend's author are in <c>Errand.Storage</c>.</summary>
    [Fact]
    public void Public_types_of_core_live_in_the_root_namespace_or_in_that_of_storage() =>
        Assert.All(typeof(TaskQueue).Assembly.GetExportedTypes(), type => Assert.Contains(type.Namespace, (string[])["Errand", "Errand.Storage"]));

    [Fact]
    public void Every_public_exception_is_an_errand_exception_or_tells_of_misuse() =>
        Assert.All(
            Packages.SelectMany(package => package.GetExportedTypes()).Where(type => type.IsAssignableTo(typeof(Exception))),
            type => Assert.True(type.IsAssignableTo(typeof(ErrandException)) || type.IsAssignableTo(typeof(ArgumentException)), type.FullName));

    [Fact]
    public void No_public_record_is_positional() =>
        Assert.DoesNotContain(
            Packages.SelectMany(package => package.GetExportedTypes()),
            type => type.GetMethod("Deconstruct") is not null);

    [Fact]
    public void No_public_type_hides_one_of_the_frameworks_task_types() =>
        Assert.DoesNotContain(
            typeof(TaskQueue).Assembly.GetExportedTypes(),
            type => typeof(Task).Assembly.GetType($"System.Threading.Tasks.{type.Name}") is not null);
}
