using Errand.PrivatePostgres;
using System.Diagnostics;
using Errand.TestKit;
using Npgsql;

namespace Errand.PostgreSql.Tests;

/// <summary>A real PgBouncer before the shared server, pooling transactions. It ends with the program, however that ends.</summary>
public sealed class PgBouncer(PostgresServer server) : IAsyncLifetime
{
    private readonly string _folder = Directory.CreateTempSubdirectory("errand-pgbouncer-").FullName;
    private Process? _guard;
    private int _port;

    public async ValueTask InitializeAsync()
    {
        var behind = new NpgsqlConnectionStringBuilder(server.ConnectionString());
        _port = PostgresCluster.FreePort();
        await File.WriteAllTextAsync($"{_folder}/pgbouncer.ini", $"""
            [databases]
            * = host={behind.Host} port={behind.Port} user={behind.Username} password={behind.Password}
            [pgbouncer]
            listen_addr = 127.0.0.1
            listen_port = {_port}
            unix_socket_dir =
            auth_type = any
            pool_mode = transaction
            default_pool_size = 20
            max_client_conn = 500
            ignore_startup_parameters = extra_float_digits

            """);
        File.SetUnixFileMode(_folder, (UnixFileMode)0b111_101_101);
        _guard = PostgresCluster.Start(
            PostgresCluster.Program("sh"), "-c", "\"$1\" -q \"$2\" >/dev/null 2>&1 & cat; kill $!", "guard",
            File.Exists("/usr/sbin/pgbouncer") ? "/usr/sbin/pgbouncer" : "pgbouncer", $"{_folder}/pgbouncer.ini");
        await Eventually.TrueAsync(
            async () =>
            {
                try
                {
                    return await PostgresServer.ExecuteAsync(ConnectionString(0), "select 1") is 1;
                }
                catch (NpgsqlException)
                {
                    return false;
                }
            },
            "PgBouncer answers");
    }

    public string ConnectionString(int number) =>
        new NpgsqlConnectionStringBuilder(server.ConnectionString(number)) { Host = "127.0.0.1", Port = _port }.ConnectionString;

    public async ValueTask DisposeAsync()
    {
        if (_guard is { } guard)
        {
            guard.StandardInput.Close();
            await guard.WaitForExitAsync().WaitAsync(Eventually.Bound);
            guard.Dispose();
        }

        Directory.Delete(_folder, recursive: true);
    }
}
