using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Errand.TestKit;

namespace Errand.PrivatePostgres;

/// <summary>
/// A PostgreSQL server of the tests' own, in a temporary folder and on loopback. It ends with the program, however that ends: a
/// shell waits for the end of its standard input, and then stops the server and takes the folder away.
/// </summary>
public sealed class PostgresCluster : IAsyncDisposable
{
    private readonly string _folder;
    private Process? _guard;

    private PostgresCluster(string folder, int port)
    {
        _folder = folder;
        Port = port;
    }

    public int Port { get; }

    /// <summary>Where the server's programs are.</summary>
    private static string Programs { get; } = Directory.Exists("/usr/lib/postgresql")
        ? Directory.GetDirectories("/usr/lib/postgresql").OrderByDescending(folder => int.Parse(Path.GetFileName(folder), CultureInfo.InvariantCulture))
            .Select(folder => Path.Combine(folder, "bin")).First(folder => File.Exists(Path.Combine(folder, "initdb")))
        : throw new DirectoryNotFoundException("PostgreSQL is not installed: apt-get install postgresql.");

    public static async Task<PostgresCluster> StartAsync(params string[] settings)
    {
        var folder = Directory.CreateTempSubdirectory("errand-postgres-").FullName;
        var cluster = new PostgresCluster(folder, FreePort());
        if (Environment.UserName == "root")
        {
            await RunAsync("chown", "postgres:postgres", folder);
        }

        cluster._guard = Start(
            Program("sh"), "-c", "cat; \"$1\" -D \"$2/data\" -m immediate stop; rm -rf \"$2\"", "guard", Path.Combine(Programs, "pg_ctl"), folder);
        await RunAsync([.. AsServer, Path.Combine(Programs, "initdb"), "-D", $"{folder}/data", "-U", "app", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync"]);
        await File.AppendAllLinesAsync(
            $"{folder}/data/postgresql.conf",
            [
                $"port = {cluster.Port}", "listen_addresses = '127.0.0.1'", "unix_socket_directories = ''", "max_connections = 400",
                "fsync = on", "shared_buffers = 128MB", .. settings,
            ]);
        await cluster.StartServerAsync();
        return cluster;
    }

    public string ConnectionString(string database = "postgres") =>
        $"Host=127.0.0.1;Port={Port};Username=app;Password=not-needed-here;Database={database}";

    public Task StartServerAsync() =>
        RunAsync([.. AsServer, "sh", "-c", "exec \"$1\" -D \"$2/data\" -w -s -l \"$2/log\" start >/dev/null 2>&1 </dev/null", "start", Path.Combine(Programs, "pg_ctl"), _folder]);

    /// <summary>Stops the server: <c>fast</c> as an operator does, <c>immediate</c> as a crash does.</summary>
    public Task StopServerAsync(string mode) =>
        RunAsync([.. AsServer, Path.Combine(Programs, "pg_ctl"), "-D", $"{_folder}/data", "-m", mode, "-w", "-s", "stop"]);

    public async ValueTask DisposeAsync()
    {
        if (_guard is { } guard)
        {
            guard.StandardInput.Close();
            await guard.WaitForExitAsync().WaitAsync(Eventually.Bound);
            guard.Dispose();
        }
    }

    public static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }

    /// <summary>The server refuses to run as root.</summary>
    public static string[] AsServer { get; } = Environment.UserName == "root"
        ? ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups", "--reset-env"]
        : [];

    public static string[] Program(string name) => [.. AsServer, name];

    public static Process Start(string[] program, params string[] arguments)
    {
        string[] command = [.. program, .. arguments];
        return Process.Start(new ProcessStartInfo(command[0], command[1..])
        {
            UseShellExecute = false, RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true, WorkingDirectory = "/tmp",
        })!;
    }

    private static async Task RunAsync(params string[] command)
    {
        using var process = Process.Start(new ProcessStartInfo(command[0], command[1..])
        {
            UseShellExecute = false, RedirectStandardOutput = true, RedirectStandardError = true, WorkingDirectory = "/tmp",
        })!;
        var output = process.StandardOutput.ReadToEndAsync();
        var error = process.StandardError.ReadToEndAsync();
        await process.WaitForExitAsync().WaitAsync(TimeSpan.FromMinutes(2));
        if (process.ExitCode != 0)
        {
            throw new InvalidOperationException($"{string.Join(' ', command)} gave {process.ExitCode}: {await output}{await error}");
        }
    }
}
