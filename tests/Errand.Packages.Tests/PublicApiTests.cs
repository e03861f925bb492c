using System.Reflection;
using Errand.Hosting;
using Errand.PostgreSql;
using Errand.Sqlite;
using Errand.TestKit;
using Errand.Testing;

namespace Errand.Tests;

/// <summary>The public face of each package is written down; whoever changes it changes the file with it.</summary>
public sealed class PublicApiTests
{
    public static TheoryData<string> Packages =>
    [
        "Errand.Core", "Errand.EntityFrameworkCore", "Errand.Hosting", "Errand.OpenTelemetry", "Errand.PostgreSql", "Errand.Sqlite",
        "Errand.Testing",
    ];

    /// <summary>To approve a change, copy the file that the message names over the approved one.</summary>
    [Theory]
    [MemberData(nameof(Packages))]
    public void The_public_face_is_the_approved_one(string package)
    {
        var approved = Path.Combine(RepositoryRoot.Path, "tests/Errand.Packages.Tests/Approved", package + ".txt");
        var received = Path.Combine(AppContext.BaseDirectory, package + ".received.txt");
        File.WriteAllText(received, PublicApi.Describe(AssemblyOf(package)));
        Assert.True(
            File.Exists(approved) && File.ReadAllText(approved) == File.ReadAllText(received),
            $"The public face of {package} has changed. Compare, and if it is meant, say so in CHANGELOG.md and: cp {received} {approved}");
    }

    private static Assembly AssemblyOf(string package) => package switch
    {
        "Errand.Core" => typeof(TaskQueue).Assembly,
        "Errand.EntityFrameworkCore" => typeof(UnsavedTask).Assembly,
        "Errand.OpenTelemetry" => typeof(OpenTelemetry.Trace.ErrandTracerProviderBuilderExtensions).Assembly,
        "Errand.Hosting" => typeof(ErrandBuilder).Assembly,
        "Errand.PostgreSql" => typeof(PostgresBackend).Assembly,
        "Errand.Sqlite" => typeof(SqliteBackend).Assembly,
        _ => typeof(ErrandTest).Assembly,
    };
}
