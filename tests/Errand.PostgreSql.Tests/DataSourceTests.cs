using Errand.Hosting;
using Errand.TestKit;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace Errand.PostgreSql.Tests;

/// <summary>Where a host finds its database: a data source, one of the container, or the name of a connection string.</summary>
public sealed class DataSourceTests(PostgresServer server) : IAsyncDisposable
{
    private readonly string _schema = PostgresServer.NewSchema();
    private readonly List<IAsyncDisposable> _made = [];

    public async ValueTask DisposeAsync()
    {
        foreach (var one in Enumerable.Reverse(_made))
        {
            await one.DisposeAsync();
        }
    }

    private T Kept<T>(T one)
        where T : IAsyncDisposable
    {
        _made.Add(one);
        return one;
    }

    private async Task<string> RunAsync(Action<HostApplicationBuilder> arrange, Func<ErrandBuilder, ErrandBuilder> use)
    {
        var builder = Host.CreateApplicationBuilder();
        builder.Logging.ClearProviders();
        arrange(builder);
        builder.AddErrand(errand => use(errand).AddHandler((Greet task, TaskContext _) => $"Hello, {task.Name}"));
        var host = builder.Build();
        Kept((IAsyncDisposable)host);
        await host.StartAsync(TestContext.Current.CancellationToken);
        var handle = await host.Services.GetRequiredService<ITaskQueue>().EnqueueAsync(new Greet("Ada"));
        return await handle.WaitAsync(Eventually.Bound);
    }

    private PostgresBackendOptions InSchema(PostgresBackendOptions options) => options with { Schema = _schema };

    private Task<object?> CountAsync() =>
        PostgresServer.ExecuteAsync(server.ConnectionString(), $"select count(*) from {_schema}.errand_meta");

    [Fact]
    public async Task I_can_give_a_data_source()
    {
        var source = Kept(NpgsqlDataSource.Create(server.ConnectionString()));
        Assert.Equal("Hello, Ada", await RunAsync(_ => { }, errand => errand.UsePostgres(source, InSchema)));
        Assert.Equal(1L, await CountAsync());
    }

    [Fact]
    public async Task The_data_source_of_the_container_is_used_where_no_connection_is_named()
    {
        Assert.Equal("Hello, Ada", await RunAsync(
            builder => builder.Services.AddSingleton(_ => NpgsqlDataSource.Create(server.ConnectionString())),
            errand => errand.UsePostgres(configure: InSchema)));
        Assert.Equal(1L, await CountAsync());
    }

    [Fact]
    public async Task A_keyed_data_source_is_found_in_the_container()
    {
        Assert.Equal("Hello, Ada", await RunAsync(
            builder => builder.Services.AddKeyedSingleton("tasks", (_, _) => NpgsqlDataSource.Create(server.ConnectionString())),
            errand => errand.UsePostgres(services => services.GetRequiredKeyedService<NpgsqlDataSource>("tasks"), InSchema)));
        Assert.Equal(1L, await CountAsync());
    }

    [Fact]
    public async Task The_configuration_redirects_a_connection_that_stands_in_code()
    {
        var elsewhere = Kept(NpgsqlDataSource.Create("Host=127.0.0.1;Port=1;Username=app"));
        Assert.Equal("Hello, Ada", await RunAsync(
            builder => builder.Configuration["Errand:Postgres:ConnectionString"] = server.ConnectionString(),
            errand => errand.UsePostgres(elsewhere, InSchema)));
        Assert.Equal("Hello, Ada", await RunAsync(
            builder =>
            {
                builder.Configuration["Errand:Postgres:ConnectionName"] = "shop";
                builder.Configuration["ConnectionStrings:shop"] = server.ConnectionString();
            },
            errand => errand.UsePostgres("Host=127.0.0.1;Port=1", InSchema)));
    }

    [Fact]
    public async Task A_connection_string_is_found_by_its_name()
    {
        void Arrange(HostApplicationBuilder builder) => builder.Configuration["ConnectionStrings:shop"] = server.ConnectionString();

        Assert.Equal("Hello, Ada", await RunAsync(Arrange, errand => errand.UsePostgres(connectionName: "shop", configure: InSchema)));
        Assert.Equal("Hello, Ada", await RunAsync(Arrange, errand => errand.UsePostgres("Name=shop", InSchema)));
    }

    [Fact]
    public async Task A_connection_that_is_missing_is_told()
    {
        var refused = await Assert.ThrowsAsync<InvalidOptionsException>(() => RunAsync(_ => { }, errand => errand.UsePostgres()));
        Assert.Equal(
            ["Errand:Postgres:ConnectionString is missing; give UsePostgres one, configure it, or register an NpgsqlDataSource"],
            refused.Problems);
        refused = await Assert.ThrowsAsync<InvalidOptionsException>(
            () => RunAsync(_ => { }, errand => errand.UsePostgres(connectionName: "shop")));
        Assert.Equal(
            ["Errand:Postgres:ConnectionName is 'shop', and the configuration has no ConnectionStrings:shop"], refused.Problems);
        refused = await Assert.ThrowsAsync<InvalidOptionsException>(() => RunAsync(_ => { }, errand => errand.UsePostgres("tasks.db")));
        Assert.StartsWith("Errand:Postgres: The connection string cannot be read. It looks like Host=", refused.Problems[0], StringComparison.Ordinal);
    }

    /// <summary>As a cloud's token: the server takes another password from now on, and the data source gives it.</summary>
    [Fact]
    public async Task A_password_that_rotates_is_asked_for_with_every_connection()
    {
        Assert.SkipWhen(
            Environment.GetEnvironmentVariable("ERRAND_TEST_POSTGRES") is { Length: > 0 }, "It changes a file of the server's own.");
        var role = $"r{Guid.NewGuid():N}";
        var hba = await PostgresServer.ExecuteAsync(server.ConnectionString(), "show hba_file");
        await PostgresServer.ExecuteAsync(server.ConnectionString(), $"""
            create role {role} login createdb password 'first'; grant create on database "{new NpgsqlConnectionStringBuilder(server.ConnectionString()).Database}" to {role};
            copy (select 'host all {role} 127.0.0.1/32 scram-sha-256') to program 'cat - {hba} > {hba}.{role} && mv {hba}.{role} {hba}'
            """);
        await PostgresServer.ExecuteAsync(server.ConnectionString(), "select pg_reload_conf()");
        var password = "first";
        var builder = new NpgsqlDataSourceBuilder(
            new NpgsqlConnectionStringBuilder(server.ConnectionString()) { Username = role, Password = null }.ConnectionString);
        builder.UsePasswordProvider(_ => password, (_, _) => ValueTask.FromResult(password));
        var source = Kept(builder.Build());
        var backend = Kept(new PostgresBackend(
            source, new PostgresBackendOptions { Schema = _schema, BusyTimeout = TimeSpan.FromSeconds(30) }));
        await Eventually.TrueAsync(() => IsOpenAsync(backend), "the server has read its file");
        var owner = await backend.BeginWorkerAsync(new WorkerRegistration { Lease = TimeSpan.FromSeconds(30), TaskNames = ["greet"] });
        Assert.True(backend.Heartbeat(owner));

        password = "second";
        await PostgresServer.ExecuteAsync(server.ConnectionString(), $"""
            alter role {role} password 'second';
            select pg_terminate_backend(pid) from pg_stat_activity where usename = '{role}'
            """);

        await Eventually.TrueAsync(() => IsOpenAsync(backend), "it connects again");
        await Eventually.TrueAsync(() => BeatsAsync(backend, owner), "the heartbeat connects again");
        password = "wrong";
        await using var other = new PostgresBackend(source, new PostgresBackendOptions { Schema = _schema });
        Assert.Contains("refused the user or the password", (await Assert.ThrowsAsync<BackendException>(
            () => other.InitializeAsync().AsTask())).Message, StringComparison.Ordinal);
    }

    private static async Task<bool> IsOpenAsync(PostgresBackend backend)
    {
        try
        {
            await backend.NewIdAsync();
            return true;
        }
        catch (BackendException)
        {
            return false;
        }
    }

    private static Task<bool> BeatsAsync(PostgresBackend backend, WorkerId owner)
    {
        try
        {
            return Task.FromResult(backend.Heartbeat(owner));
        }
        catch (BackendException)
        {
            return Task.FromResult(false);
        }
    }

    [TaskName("greet")]
    public sealed record Greet(string Name) : ITask<string>;
}
