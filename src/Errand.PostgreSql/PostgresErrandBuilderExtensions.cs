using Errand.PostgreSql;
using Microsoft.Extensions.Logging;

namespace Errand;

/// <summary>PostgreSQL in a host.</summary>
public static class PostgresErrandBuilderExtensions
{
    private const string Section = "Postgres";

    /// <summary>Keeps tasks in a schema of a PostgreSQL database.</summary>
    /// <remarks>
    /// The section <c>Errand:Postgres</c> of the configuration holds <c>ConnectionString</c> and every option of <see
    /// cref="PostgresBackendOptions"/> but the clock. It is applied first, then what stands in code.
    /// </remarks>
    /// <typeparam name="TBuilder">The builder's own type, so that the chain goes on with it.</typeparam>
    /// <param name="errand">The builder.</param>
    /// <param name="connectionString">
    /// As Npgsql takes it: <c>Host=server;Database=app;Username=app;Password=...</c>. Default is null: the
    /// configuration's <c>Errand:Postgres:ConnectionString</c>.
    /// </param>
    /// <param name="configure">Changes the options. Default is null: they stay as the configuration has them.</param>
    /// <returns>The builder, to go on with.</returns>
    public static TBuilder UsePostgres<TBuilder>(
        this TBuilder errand,
        string? connectionString = null,
        Func<PostgresBackendOptions, PostgresBackendOptions>? configure = null)
        where TBuilder : IErrandBuilder
    {
        errand.UseBackend(Section, (services, values) =>
        {
            var configured = values.Read("ConnectionString", default(string));
            var options = new PostgresBackendOptions().With(values);
            return Create(connectionString ?? configured, configure?.Invoke(options) ?? options, services);
        });
        return errand;
    }

    private static PostgresBackend Create(
        string? connectionString, PostgresBackendOptions options, IServiceProvider services)
    {
        if (string.IsNullOrWhiteSpace(connectionString))
        {
            var problems = new OptionProblems(nameof(PostgresBackendOptions));
            problems.Add("ConnectionString is missing; give UsePostgres one, or configure it");
            options.CollectProblems(problems);
            throw problems.ToException();
        }

        return new PostgresBackend(
            connectionString, options,
            (ILogger<PostgresBackend>?)services.GetService(typeof(ILogger<PostgresBackend>)));
    }
}
