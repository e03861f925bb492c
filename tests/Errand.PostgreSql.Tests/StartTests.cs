using Npgsql;

namespace Errand.PostgreSql.Tests;

/// <summary>How a store begins, and what is refused.</summary>
public sealed class StartTests(PostgresServer server)
{
    private readonly string _schema = PostgresServer.NewSchema();

    private PostgresBackend Backend(string? connectionString = null) =>
        new(connectionString ?? server.ConnectionString(), new PostgresBackendOptions { Schema = _schema, BusyTimeout = TimeSpan.FromMilliseconds(50) });

    [Fact]
    public async Task Ten_backends_start_at_once_over_one_schema_that_is_not_there_yet()
    {
        var backends = Enumerable.Range(0, 10).Select(_ => Backend()).ToArray();
        await Task.WhenAll(backends.Select(backend => Task.Run(async () => await backend.InitializeAsync())));

        var ids = await Task.WhenAll(backends.Select(async backend => await backend.NewIdAsync()));

        Assert.Equal(10, ids.Distinct().Count());
        Assert.Equal(1L, await PostgresServer.ExecuteAsync(server.ConnectionString(), $"select count(*) from {_schema}.errand_meta where version = 1"));
        foreach (var backend in backends)
        {
            await backend.DisposeAsync();
        }
    }

    [Fact]
    public async Task A_newer_schema_is_refused_and_left_alone()
    {
        await using (var backend = Backend())
        {
            await backend.InitializeAsync();
        }

        await PostgresServer.ExecuteAsync(server.ConnectionString(), $"update {_schema}.errand_meta set version = 99");
        await using var older = Backend();
        var refused = await Assert.ThrowsAsync<SchemaTooNewException>(async () => await older.InitializeAsync());
        Assert.Contains("99", refused.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("errand_meta")]
    [InlineData("errand_tasks")]
    public async Task A_schema_with_a_table_of_that_name_of_something_else_is_refused_and_left_alone(string table)
    {
        await PostgresServer.ExecuteAsync(server.ConnectionString(), $"create schema {_schema}; create table {_schema}.{table} (x int)");
        await using var backend = Backend();
        await Assert.ThrowsAsync<NotAnErrandDatabaseException>(async () => await backend.InitializeAsync());
        Assert.Equal(
            1L, await PostgresServer.ExecuteAsync(server.ConnectionString(), $"select count(*) from pg_tables where schemaname = '{_schema}'"));
    }

    [Fact]
    public async Task A_schema_that_is_removed_under_a_backend_is_made_anew_and_its_workers_are_told()
    {
        var task = new NewTask { Name = "a", Payload = "{}"u8.ToArray() };
        await using var backend = Backend();
        var owner = await backend.BeginWorkerAsync(new WorkerRegistration { Lease = TimeSpan.FromSeconds(30), TaskNames = ["a"] });
        await backend.EnqueueAsync([task]);
        await PostgresServer.ExecuteAsync(server.ConnectionString(), $"drop schema {_schema} cascade");

        var id = Assert.Single(await backend.EnqueueAsync([task])).Id;

        Assert.Null(await backend.GetResultAsync(id, TimeSpan.Zero));
        Assert.False(backend.Heartbeat(owner));
        await Assert.ThrowsAsync<WorkerLostException>(
            async () => await backend.ReserveAsync(new ReserveRequest { Owner = owner, MaxTasks = 1, Wait = TimeSpan.Zero }));
    }

    [Theory]
    [InlineData("")]
    [InlineData("1st")]
    [InlineData("a\"; drop schema public; --")]
    [InlineData("a.b")]
    public void A_schema_that_is_no_plain_name_is_refused(string schema) =>
        Assert.Throws<InvalidOptionsException>(() => new PostgresBackend("Host=x", new PostgresBackendOptions { Schema = schema }));

    [Fact]
    public async Task A_schema_may_have_capitals_and_the_name_of_a_keyword()
    {
        var options = new PostgresBackendOptions { Schema = "Select" + _schema[..8] };
        await using var backend = new PostgresBackend(server.ConnectionString(), options);
        await backend.InitializeAsync();
        Assert.NotEqual(default, await backend.NewIdAsync());
    }

    [Theory]
    [InlineData("Host=x;Pasword=sesame", "pasword")]
    [InlineData("Host=x;Password=sesame;Port=many", "port")]
    [InlineData("postgres://app:sesame@db/shop", "URI")]
    public void A_connection_string_that_cannot_be_read_is_refused_with_what_is_wrong(string connectionString, string named)
    {
        var refused = Assert.Throws<ArgumentException>(() => Backend(connectionString));
        Assert.Contains(named, refused.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("sesame", refused.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Several_hosts_are_named_each_with_its_port()
    {
        await using var backend = Backend("Host=127.0.0.1:1,127.0.0.1;Port=2;Username=app;Database=none");
        var refused = await Assert.ThrowsAsync<BackendException>(async () => await backend.InitializeAsync());
        Assert.Contains("127.0.0.1:1, 127.0.0.1:2, database 'none'", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task No_message_tells_the_password()
    {
        const string Secret = "sesame-4711";
        var unreadable = Assert.Throws<ArgumentException>(() => Backend($"Host=x;Port={Secret}"));
        Assert.DoesNotContain(Secret, unreadable.ToString(), StringComparison.Ordinal);

        string[] strings =
        [
            $"Host=127.0.0.1;Port=1;Username=app;Password={Secret};Database=none",
            new NpgsqlConnectionStringBuilder(server.ConnectionString()) { Database = "not_there", Password = Secret }.ConnectionString,
            new NpgsqlConnectionStringBuilder(server.ConnectionString()) { Username = "nobody_here", Password = Secret }.ConnectionString,
        ];
        foreach (var connectionString in strings)
        {
            await using var backend = Backend(connectionString);
            var refused = await Assert.ThrowsAsync<BackendException>(async () => await backend.InitializeAsync());
            Assert.DoesNotContain(Secret, refused.ToString(), StringComparison.Ordinal);
            Assert.Contains("127.0.0.1", refused.Message, StringComparison.Ordinal);
            Assert.Equal(connectionString.Contains("Port=1;", StringComparison.Ordinal), refused.IsTransient);
        }
    }

    [Fact]
    public async Task A_read_only_server_is_told_as_such()
    {
        await using (var backend = Backend())
        {
            await backend.InitializeAsync();
        }

        await using var standby = Backend(server.ConnectionString() + ";Options=-c default_transaction_read_only=on");
        var refused = await Assert.ThrowsAsync<BackendException>(
            async () => await standby.EnqueueAsync([new NewTask { Name = "a", Payload = "{}"u8.ToArray() }]));
        Assert.Contains("read-only", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_overview_counts_what_there_is()
    {
        await using var backend = Backend();
        var owner = await backend.BeginWorkerAsync(new WorkerRegistration { Lease = TimeSpan.FromSeconds(30), TaskNames = ["a"] });
        NewTask Named(string name, TimeSpan? delay = null) => new() { Name = name, Payload = "{}"u8.ToArray(), Delay = delay };
        await backend.EnqueueAsync([Named("a"), Named("a"), Named("a"), Named("b"), Named("a", TimeSpan.FromHours(1))]);
        var taken = await backend.ReserveAsync(new ReserveRequest { Owner = owner, MaxTasks = 2, Wait = TimeSpan.Zero });
        await backend.MarkSuccessAsync(taken[0].Lease, default);

        var overview = await backend.GetOverviewAsync();

        Assert.Equal(1, overview.Count(TaskState.Succeeded));
        Assert.Equal(1, overview.Count(TaskState.Running));
        Assert.Equal(1, overview.LiveWorkers);
        Assert.Equal(5, overview.Counts.Sum(count => count.Tasks));
        Assert.Equal("b", Assert.Single(overview.Unclaimed).Name);
        Assert.NotNull(overview.OldestWaiting);
    }
}
