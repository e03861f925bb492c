using Errand.Sqlite;
using Microsoft.Extensions.Logging;

namespace Errand;

/// <summary>SQLite in a host.</summary>
public static class SqliteErrandBuilderExtensions
{
    private const string Section = "Sqlite";

    /// <summary>Keeps tasks in a SQLite file, or in memory with the path <c>:memory:</c>.</summary>
    /// <remarks>
    /// The section <c>Errand:Sqlite</c> of the configuration holds <c>Path</c> and every option of
    /// <see cref="SqliteBackendOptions"/> but the clock. It is applied first, then what stands in code.
    /// </remarks>
    /// <typeparam name="TBuilder">The builder's own type, so that the chain goes on with it.</typeparam>
    /// <param name="errand">The builder.</param>
    /// <param name="path">
    /// The path of a file in a folder that exists; a relative one begins at the current directory. Default is null: the
    /// configuration's <c>Errand:Sqlite:Path</c>.
    /// </param>
    /// <param name="configure">Changes the options. Default is null: they stay as the configuration has them.</param>
    /// <returns>The builder, to go on with.</returns>
    public static TBuilder UseSqlite<TBuilder>(
        this TBuilder errand, string? path = null, Func<SqliteBackendOptions, SqliteBackendOptions>? configure = null)
        where TBuilder : IErrandBuilder
    {
        errand.UseBackend(Section, (services, values) =>
        {
            var configured = values.Read("Path", default(string));
            var options = new SqliteBackendOptions().With(values);
            return Create(path ?? configured, configure?.Invoke(options) ?? options, services);
        });
        return errand;
    }

    private static SqliteBackend Create(string? path, SqliteBackendOptions options, IServiceProvider services)
    {
        if (string.IsNullOrWhiteSpace(path))
        {
            var problems = new OptionProblems(nameof(SqliteBackendOptions));
            problems.Add("Path is missing; give UseSqlite one, or configure it");
            options.CollectProblems(problems);
            throw problems.ToException();
        }

        return new SqliteBackend(path, options, (ILogger<SqliteBackend>?)services.GetService(typeof(ILogger<SqliteBackend>)));
    }
}
