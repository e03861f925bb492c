using System.Runtime.CompilerServices;
using Errand.PostgreSql;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace Errand;

/// <summary>PostgreSQL in a host.</summary>
public static class PostgresErrandBuilderExtensions
{
    private const string Section = "Postgres";
    private const string ConnectionOption = "ConnectionString";

    /// <summary>Keeps tasks in a schema of a PostgreSQL database.</summary>
    /// <remarks>
    /// The section <c>Errand:Postgres</c> of the configuration holds <c>ConnectionString</c> or <c>ConnectionName</c>, and every
    /// option of <see cref="PostgresBackendOptions"/> but the clock. A connection there replaces the one in code.
    /// <paramref name="configure"/> is applied after the configuration. Where neither names a connection, the
    /// <see cref="NpgsqlDataSource"/> of the container is used, if there is one.
    /// </remarks>
    /// <typeparam name="TBuilder">The builder's own type, so that the chain goes on with it.</typeparam>
    /// <param name="errand">The builder.</param>
    /// <param name="connectionString">
    /// As Npgsql takes it: <c>Host=server;Database=app;Username=app;Password=...</c>. <c>Name=shop</c> stands for the
    /// <paramref name="connectionName"/> <c>shop</c>. Default is null: the configuration's
    /// <c>Errand:Postgres:ConnectionString</c>, or the container's data source.
    /// </param>
    /// <param name="configure">Changes the options. Default is null: they stay as the configuration has them.</param>
    /// <param name="connectionName">
    /// The name of a connection string of the configuration: <c>ConnectionStrings:shop</c>. Default is null: none.
    /// </param>
    /// <returns>The builder, to go on with.</returns>
    [OverloadResolutionPriority(1)] // A null means this one.
    public static TBuilder UsePostgres<TBuilder>(
        this TBuilder errand,
        string? connectionString = null,
        Func<PostgresBackendOptions, PostgresBackendOptions>? configure = null,
        string? connectionName = null)
        where TBuilder : IErrandBuilder =>
        Use(errand, connectionString, connectionName, services => (NpgsqlDataSource?)services.GetService(typeof(NpgsqlDataSource)), configure);

    /// <summary>
    /// Keeps tasks in the database of a data source, with its password provider and its callbacks: for passwords and tokens that
    /// rotate. The caller disposes the data source, after the host.
    /// </summary>
    /// <param name="errand">The builder.</param>
    /// <param name="dataSource">
    /// The data source. Errand opens connections of its own with its settings; they are not taken from its pool.
    /// </param>
    /// <param name="configure">Changes the options. Default is null: they stay as the configuration has them.</param>
    /// <inheritdoc cref="UsePostgres{TBuilder}(TBuilder, string?, Func{PostgresBackendOptions, PostgresBackendOptions}?, string?)"/>
    public static TBuilder UsePostgres<TBuilder>(
        this TBuilder errand, NpgsqlDataSource dataSource, Func<PostgresBackendOptions, PostgresBackendOptions>? configure = null)
        where TBuilder : IErrandBuilder
    {
        ArgumentNullException.ThrowIfNull(dataSource);
        return Use(errand, null, null, _ => dataSource, configure);
    }

    /// <summary>
    /// Keeps tasks in the database of a data source from the container, such as a keyed one:
    /// <c>UsePostgres(services => services.GetRequiredKeyedService&lt;NpgsqlDataSource&gt;("tasks"))</c>.
    /// </summary>
    /// <param name="errand">The builder.</param>
    /// <param name="dataSource">Finds the data source when the host starts.</param>
    /// <param name="configure">Changes the options. Default is null: they stay as the configuration has them.</param>
    /// <inheritdoc cref="UsePostgres{TBuilder}(TBuilder, NpgsqlDataSource, Func{PostgresBackendOptions, PostgresBackendOptions}?)"/>
    public static TBuilder UsePostgres<TBuilder>(
        this TBuilder errand, Func<IServiceProvider, NpgsqlDataSource> dataSource,
        Func<PostgresBackendOptions, PostgresBackendOptions>? configure = null)
        where TBuilder : IErrandBuilder
    {
        ArgumentNullException.ThrowIfNull(dataSource);
        return Use(errand, null, null, dataSource, configure);
    }

    private static TBuilder Use<TBuilder>(
        TBuilder errand, string? connectionString, string? connectionName, Func<IServiceProvider, NpgsqlDataSource?> dataSource,
        Func<PostgresBackendOptions, PostgresBackendOptions>? configure)
        where TBuilder : IErrandBuilder
    {
        errand.UseBackend(Section, (services, values) =>
        {
            var problems = new OptionProblems(nameof(PostgresBackendOptions));
            var (text, name) = ConnectionChoice.Choose(values, ConnectionOption, connectionString, connectionName, problems);
            var options = new PostgresBackendOptions().With(values);
            return Create(
                text, name is null && text is null ? dataSource(services) : null, name, configure?.Invoke(options) ?? options, problems,
                services);
        });
        return errand;
    }

    private static PostgresBackend Create(
        string? connectionString, NpgsqlDataSource? dataSource, string? name, PostgresBackendOptions options,
        OptionProblems problems, IServiceProvider services)
    {
        if (connectionString is null && dataSource is null && name is null)
        {
            problems.Add(
                $"{ConnectionOption} is missing; give UsePostgres one, configure it, or register an NpgsqlDataSource");
        }

        options.CollectProblems(problems);
        problems.ThrowIfAny();
        var logger = (ILogger<PostgresBackend>?)services.GetService(typeof(ILogger<PostgresBackend>));
        return dataSource is null
            ? new PostgresBackend(connectionString!, options, logger)
            : new PostgresBackend(dataSource, options, logger);
    }
}
