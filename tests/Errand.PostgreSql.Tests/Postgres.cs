using System.Data.Common;
using Errand.Contract;
using Npgsql;

namespace Errand.PostgreSql.Tests;

/// <summary>Two backends of one test are in two databases: two schemas of one could well be committed together.</summary>
public class Postgres : SharedStore
{
    private readonly Dictionary<IBackend, string> _connections = [];

    public override int? Sequences => 60;

    protected PostgresServer Server { get; private set; } = null!;

    public override async ValueTask StartAsync() =>
        Server = await TestContext.Current.GetFixture<PostgresServer>() ?? throw new InvalidOperationException("There is no server.");

    public override IBackend Create(TimeProvider clock, TimeSpan? retention) =>
        Create(clock, new PostgresBackendOptions { Retention = retention ?? Defaults.Retention });

    public override IBackend CreateKeeping(TimeProvider clock, TimeSpan failed, TimeSpan cancelled, TimeSpan expired) =>
        Create(clock, new PostgresBackendOptions
        {
            Retention = TimeSpan.FromMinutes(1), FailedRetention = failed, CancelledRetention = cancelled, ExpiredRetention = expired,
        });

    private PostgresBackend Create(TimeProvider clock, PostgresBackendOptions options)
    {
        var number = _connections.Count;
        var backend = new PostgresBackend(ConnectionString(number), options with
        {
            Schema = PostgresServer.NewSchema(),
            TimeProvider = clock,
            ServerClock = clock == TimeProvider.System ? null : new ServerClock(clock),
        });
        _connections.Add(backend, Server.ConnectionString(number));
        return backend;
    }

    public override IBackend CreateBeside(IBackend backend)
    {
        var number = _connections.Keys.ToList().IndexOf(backend);
        return new PostgresBackend(ConnectionString(number), new PostgresBackendOptions { Schema = ((PostgresBackend)backend).Schema });
    }

    public override async Task<DbConnection> ConnectAsync(IBackend backend)
    {
        var connection = new NpgsqlConnection($"{_connections[backend]};Search Path={((PostgresBackend)backend).Schema}");
        await connection.OpenAsync(TestContext.Current.CancellationToken);
        return connection;
    }

    protected virtual string ConnectionString(int number) => Server.ConnectionString(number);
}
