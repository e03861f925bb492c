using System.Data.Common;
using Errand.Contract;
using Npgsql;

namespace Errand.PostgreSql.Tests;

/// <summary>Two backends of one test are in two databases: two schemas of one could well be committed together.</summary>
public class PostgresContract(PostgresServer server) : SharedStoreContract
{
    private readonly Dictionary<IBackend, string> _connections = [];

    protected override int Sequences => 60;

    protected override IBackend Create(TimeProvider clock, TimeSpan? retention) =>
        Create(clock, new PostgresBackendOptions { Retention = retention ?? Defaults.Retention });

    protected override IBackend CreateKeeping(TimeProvider clock, TimeSpan failed, TimeSpan cancelled, TimeSpan expired) =>
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
        _connections.Add(backend, server.ConnectionString(number));
        return backend;
    }

    protected override IBackend CreateBeside(IBackend backend)
    {
        var number = _connections.Keys.ToList().IndexOf(backend);
        return new PostgresBackend(ConnectionString(number), new PostgresBackendOptions { Schema = ((PostgresBackend)backend).Schema });
    }

    protected override async Task<DbConnection> ConnectAsync(IBackend backend)
    {
        var connection = new NpgsqlConnection($"{_connections[backend]};Search Path={((PostgresBackend)backend).Schema}");
        await connection.OpenAsync(Token);
        return connection;
    }

    protected virtual string ConnectionString(int number) => server.ConnectionString(number);
}
