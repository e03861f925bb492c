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
    private readonly int _smallDisk; // In megabytes; 0 for none.
    private Process? _guard;

    private PostgresCluster(string folder, int port, int smallDisk)
    {
        _folder = folder;
        _smallDisk = smallDisk;
        Port = port;
    }

    /// <summary>Whether a server can have a small disk here: a file system in memory needs the rights to mount one.</summary>
    public static bool CanHaveSmallDisk { get; } = Environment.UserName == "root" && CanMount();

    /// <summary>A folder on a small file system that nothing else is in, when it was started with one.</summary>
    public string SmallDisk => $"{_folder}/small";

    public int Port { get; }

    /// <summary>Where the server's programs are.</summary>
    private static string Programs { get; } = Directory.Exists("/usr/lib/postgresql")
        ? Directory.GetDirectories("/usr/lib/postgresql").OrderByDescending(folder => int.Parse(Path.GetFileName(folder), CultureInfo.InvariantCulture))
            .Select(folder => Path.Combine(folder, "bin")).First(folder => File.Exists(Path.Combine(folder, "initdb")))
        : throw new DirectoryNotFoundException("PostgreSQL is not installed: apt-get install postgresql.");

    public static Task<PostgresCluster> StartAsync(params string[] settings) => StartAsync(0, settings);

    /// <summary>Starts a server that sees a small disk. The server alone sees it, and it ends with the server.</summary>
    public static Task<PostgresCluster> StartWithSmallDiskAsync(int megabytes) => StartAsync(megabytes, []);

    private static async Task<PostgresCluster> StartAsync(int smallDisk, string[] settings)
    {
        var cluster = await CreateAsync(smallDisk);
        await RunAsync([.. AsServer, Path.Combine(Programs, "initdb"), "-D", $"{cluster._folder}/data", "-U", "app", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync"]);
        await cluster.ConfigureAsync(
            ["listen_addresses = '127.0.0.1'", "unix_socket_directories = ''", "max_connections = 400", "fsync = on", "shared_buffers = 128MB", .. settings]);
        await cluster.StartServerAsync();
        return cluster;
    }

    /// <summary>Starts a hot standby of this server, which follows it until it is promoted.</summary>
    public async Task<PostgresCluster> StartStandbyAsync()
    {
        var standby = await CreateAsync(smallDisk: 0);
        await RunAsync([.. AsServer, Path.Combine(Programs, "pg_basebackup"), "-D", $"{standby._folder}/data", "-R", "-X", "stream", "-c", "fast", "-h", "127.0.0.1", "-p", $"{Port}", "-U", "app"]);
        await standby.ConfigureAsync([]);
        await standby.StartServerAsync();
        return standby;
    }

    private static async Task<PostgresCluster> CreateAsync(int smallDisk)
    {
        var folder = Directory.CreateTempSubdirectory("errand-postgres-").FullName;
        var cluster = new PostgresCluster(folder, FreePort(), smallDisk);
        Directory.CreateDirectory(cluster.SmallDisk);
        if (Environment.UserName == "root")
        {
            await RunAsync("chown", "-R", "postgres:postgres", folder);
        }

        cluster._guard = Start(
            Program("sh"), "-c", "cat; \"$1\" -D \"$2/data\" -m immediate stop; rm -rf \"$2\"", "guard", Path.Combine(Programs, "pg_ctl"), folder);
        return cluster;
    }

    private Task ConfigureAsync(string[] settings) =>
        File.AppendAllLinesAsync($"{_folder}/data/postgresql.conf", [$"port = {Port}", .. settings]);

    public string ConnectionString(string database = "postgres") =>
        $"Host=127.0.0.1;Port={Port};Username=app;Password=not-needed-here;Database={database}";

    public Task StartServerAsync() =>
        RunAsync([.. WithDisk(), .. AsServer, "sh", "-c", "exec \"$1\" -D \"$2/data\" -w -s -l \"$2/log\" start >/dev/null 2>&1 </dev/null", "start", Path.Combine(Programs, "pg_ctl"), _folder]);

    /// <summary>Stops the server: <c>fast</c> as an operator does, <c>immediate</c> as a crash does.</summary>
    public Task StopServerAsync(string mode) =>
        RunAsync([.. AsServer, Path.Combine(Programs, "pg_ctl"), "-D", $"{_folder}/data", "-m", mode, "-w", "-s", "stop"]);

    /// <summary>A standby becomes a server like any other.</summary>
    public Task PromoteAsync() => RunAsync([.. AsServer, Path.Combine(Programs, "pg_ctl"), "-D", $"{_folder}/data", "-w", "-s", "promote"]);

    /// <summary>Mounts the small disk for the server's processes and nobody else.</summary>
    private string[] WithDisk() => _smallDisk == 0
        ? []
        : [
            "unshare", "--mount", "sh", "-c", "mount -t tmpfs -o \"size=$1m\" tmpfs \"$2\" && chown postgres \"$2\" && shift 2 && exec \"$@\"",
            "with-disk", $"{_smallDisk}", SmallDisk,
        ];

    private static bool CanMount()
    {
        using var mount = Start(["unshare"], "--mount", "mount", "-t", "tmpfs", "tmpfs", "/tmp");
        mount.WaitForExit();
        return mount.ExitCode == 0;
    }

    public async ValueTask DisposeAsync()
    {
        if (_guard is { } guard)
        {
            guard.StandardInput.Close();
            await guard.WaitForExitAsync().WaitAsync(4 * Eventually.Bound); // It removes the data of every test, from a disk that may be busy.
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
