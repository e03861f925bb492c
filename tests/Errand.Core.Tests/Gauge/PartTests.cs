using System.Reflection;
using System.Runtime.CompilerServices;
using System.Text.RegularExpressions;
using Errand.Engine;
using Errand.PostgreSql;
using Errand.Sqlite;
using Errand.TestKit;

namespace Errand.Tests.Gauge;

/// <summary>Parts say truly what they hear, and every table belongs to one of them.</summary>
public sealed partial class PartTests
{
    /// <summary>Tables that every part shares.</summary>
    private static readonly string[] Shared = ["errand_meta", "errand_names", "errand_counters", "errand_tasks", "errand_finished"];

    private static IEnumerable<Type> PartsOf(Assembly assembly) =>
        assembly.GetTypes().Where(type => type is { IsAbstract: false, IsGenericTypeDefinition: false } && BaseOf(type) is not null);

    public static TheoryData<string> Parts =>
    [
        .. PartsOf(typeof(SqliteBackend).Assembly).Concat(PartsOf(typeof(PostgresBackend).Assembly))
            .Select(type => type.FullName!).Order(StringComparer.Ordinal),
    ];

    [Theory]
    [MemberData(nameof(Parts))]
    public void A_part_hears_the_moments_that_it_answers(string name)
    {
        var type = typeof(SqliteBackend).Assembly.GetType(name) ?? typeof(PostgresBackend).Assembly.GetType(name)!;
        var heard = (Moments)Value(type, "Hears");
        foreach (var moment in Enum.GetValues<Moments>().Where(moment => moment != Moments.None))
        {
            var method = type.GetMethod(
                moment == Moments.Tidy ? "TidyAsync" : moment.ToString(), BindingFlags.Instance | BindingFlags.NonPublic)!;
            var answers = method.DeclaringType!.Name != "Part`1";
            Assert.True(answers == heard.HasFlag(moment), $"{name} {(answers ? "answers" : "does not answer")} {moment}");
        }
    }

    [Theory]
    [InlineData("Errand.Sqlite")]
    [InlineData("Errand.PostgreSql")]
    public void Every_table_belongs_to_one_part(string project)
    {
        var assembly = project == "Errand.Sqlite" ? typeof(SqliteBackend).Assembly : typeof(PostgresBackend).Assembly;
        var migration = File.ReadAllText(Path.Combine(RepositoryRoot.Path, "src", project, "Migrations", "0001_errand.sql"));
        var made = CreateTable().Matches(migration).Select(match => match.Groups["name"].Value).Except(Shared).Order(StringComparer.Ordinal);
        var claimed = PartsOf(assembly).SelectMany(type => (IReadOnlyList<string>)Value(type, "Tables")).Order(StringComparer.Ordinal);
        Assert.Equal(made, claimed);
    }

    /// <summary>What a part says of itself depends on nothing that it is given.</summary>
    private static object Value(Type type, string property) =>
        type.GetProperty(property, BindingFlags.Instance | BindingFlags.NonPublic)!.GetValue(RuntimeHelpers.GetUninitializedObject(type))!;

    private static Type? BaseOf(Type type)
    {
        for (var one = type.BaseType; one is not null; one = one.BaseType)
        {
            if (one.IsGenericType && one.GetGenericTypeDefinition() == typeof(Part<>))
            {
                return one;
            }
        }

        return null;
    }

    [GeneratedRegex(@"create table (errand\.)?(?<name>\w+)", RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1_000)]
    private static partial Regex CreateTable();
}
