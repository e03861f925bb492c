using Errand.Sqlite;
using Microsoft.Data.Sqlite;
using Microsoft.Extensions.Logging;

namespace Errand;

/// <summary>SQLite in a host.</summary>
public static class SqliteErrandBuilderExtensions
{
    private const string Section = "Sqlite";
    private const string PathOption = "Path";

    /// <summary>
    /// Keywords of a connection string that concern the connections of others to the same file. Errand opens its own.
    /// </summary>
    private static readonly string[] IgnoredKeywords =
    [
        "Data Source", "Cache", "Foreign Keys", "Recursive Triggers", "Default Timeout", "Pooling",
    ];

    /// <summary>Keeps tasks in a SQLite file, or in memory with the path <c>:memory:</c>.</summary>
    /// <remarks>
    /// The section <c>Errand:Sqlite</c> of the configuration holds <c>Path</c> or <c>ConnectionName</c>, and every option of
    /// <see cref="SqliteBackendOptions"/> but the clock. A path or name there replaces the one in code.
    /// <paramref name="configure"/> is applied after the configuration.
    /// </remarks>
    /// <typeparam name="TBuilder">The builder's own type, so that the chain goes on with it.</typeparam>
    /// <param name="errand">The builder.</param>
    /// <param name="path">
    /// The path of a file in a folder that exists; a relative one begins at the current directory. <c>Name=shop</c> stands for
    /// the <paramref name="connectionName"/> <c>shop</c>. Default is null: the configuration's <c>Errand:Sqlite:Path</c>.
    /// </param>
    /// <param name="configure">Changes the options. Default is null: they stay as the configuration has them.</param>
    /// <param name="connectionName">
    /// The name of a connection string of the configuration (<c>ConnectionStrings:shop</c>) that names the file as its data
    /// source, as other data access code of the program uses it. Default is null: none.
    /// </param>
    /// <returns>The builder, to go on with.</returns>
    public static TBuilder UseSqlite<TBuilder>(
        this TBuilder errand, string? path = null, Func<SqliteBackendOptions, SqliteBackendOptions>? configure = null,
        string? connectionName = null)
        where TBuilder : IErrandBuilder
    {
        errand.UseBackend(Section, (services, values) =>
        {
            var problems = new OptionProblems(nameof(SqliteBackendOptions));
            var (text, name) = ConnectionChoice.Choose(values, PathOption, path, connectionName, problems);
            var options = new SqliteBackendOptions().With(values);
            return Create(
                name is null || text is null ? text : SourceOf(text, name, problems), name, configure?.Invoke(options) ?? options,
                problems, services);
        });
        return errand;
    }

    private static SqliteBackend Create(
        string? path, string? name, SqliteBackendOptions options, OptionProblems problems, IServiceProvider services)
    {
        if (path is null && name is null)
        {
            problems.Add($"{PathOption} is missing; give UseSqlite one, or configure it");
        }

        options.CollectProblems(problems);
        problems.ThrowIfAny();
        return new SqliteBackend(path!, options, (ILogger<SqliteBackend>?)services.GetService(typeof(ILogger<SqliteBackend>)));
    }

    /// <summary>The file of a connection string; null with a problem where it opens the file in a way that Errand does not.</summary>
    private static string? SourceOf(string text, string name, OptionProblems problems)
    {
        if (!text.Contains('=', StringComparison.Ordinal))
        {
            return text;
        }

        SqliteConnectionStringBuilder connection;
        try
        {
            connection = new SqliteConnectionStringBuilder(text);
        }
        catch (ArgumentException e)
        {
            problems.Add($"ConnectionName is '{name}', and ConnectionStrings:{name} cannot be read: {e.Message.TrimEnd('.')}");
            return null;
        }

        var others = connection.Keys.Cast<string>()
            .Where(key => connection.ShouldSerialize(key) && !IgnoredKeywords.Contains(key, StringComparer.OrdinalIgnoreCase))
            .Where(key => key != "Mode" || connection.Mode is not (SqliteOpenMode.ReadWriteCreate or SqliteOpenMode.ReadWrite)).ToArray();
        if (others.Length > 0 || connection.DataSource.Length == 0)
        {
            problems.Add(
                $"ConnectionName is '{name}', and ConnectionStrings:{name} "
                + (others.Length > 0 ? $"sets {string.Join(" and ", others)}, which Errand does not support" : "has no Data Source"));
            return null;
        }

        return connection.DataSource;
    }
}
