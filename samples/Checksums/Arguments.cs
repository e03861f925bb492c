using System.Security.Cryptography;
using System.Text;

namespace Checksums;

/// <summary>What the command line asks for. The names in the manifest begin with the folder as it was given.</summary>
internal sealed record Arguments(string Folder, string Root, string Database, string Manifest)
{
    internal const string Usage = """
        Usage: checksums [<folder>] [--db <file>|"Host=..."] [--out <manifest>]

          <folder>          hash every file under it; default: the repository around the current directory, if any
          --db <file>       keep the tasks there; default: a file for this folder among the system's temporary files
                            or in a PostgreSQL database: "Host=server;Database=app;Username=app;Password=..."
          --out <manifest>  write the digests there, for sha256sum --check; default: checksums.sha256
        """;

    /// <summary>Whether the tasks are kept in PostgreSQL.</summary>
    internal bool IsPostgres => IsConnectionString(Database);

    internal string Plan => (IsPostgres ? TemporaryFile(Database, Root) : Database) + ".plan";

    /// <summary>What may be shown of the database: a connection string holds a password.</summary>
    internal string Shown => IsPostgres ? "PostgreSQL" : Database;

    /// <exception cref="ArgumentException">They make no sense.</exception>
    /// <exception cref="IOException">They name what is not there.</exception>
    internal static Arguments Parse(string[] args)
    {
        string? folder = null, database = null, manifest = "checksums.sha256";
        for (var i = 0; i < args.Length; i++)
        {
            switch (args[i])
            {
                case "--db":
                    database = ValueAfter(args, i++);
                    break;
                case "--out":
                    manifest = ValueAfter(args, i++);
                    break;
                case "" or ['-', ..]:
                    throw new ArgumentException($"There is no option '{args[i]}'.");
                default:
                    folder = folder is null ? args[i] : throw new ArgumentException("There is more than one folder.");
                    break;
            }
        }

        folder ??= DefaultFolder();
        if (!Directory.Exists(folder))
        {
            throw new DirectoryNotFoundException($"There is no folder '{folder}'.");
        }

        if (Directory.Exists(manifest) || !Directory.Exists(Path.GetDirectoryName(Path.GetFullPath(manifest))))
        {
            throw new IOException($"'{manifest}' cannot be written: it is a folder, or its folder does not exist.");
        }

        var root = RealPath.Of(folder);
        var parsed = new Arguments(folder, root, DatabaseOf(database, root), RealPath.Of(manifest));
        return parsed.Database != parsed.Manifest
            ? parsed
            : throw new ArgumentException("--db and --out are the same file.");
    }

    /// <summary>Whether a path is one that this program writes: it would change while it is hashed.</summary>
    internal bool IsOurs(string path) =>
        path == Manifest || path == AtomicFile.TemporaryPathOf(Manifest)
        || path == Plan || path == AtomicFile.TemporaryPathOf(Plan)
        || (!IsPostgres && path.StartsWith(Database, StringComparison.Ordinal)
            && (path[Database.Length..] is "" or "-wal" or "-shm" or "-journal"
                || path.AsSpan(Database.Length).StartsWith("-worker-", StringComparison.Ordinal)));

    private static string ValueAfter(string[] args, int i) =>
        args.ElementAtOrDefault(i + 1) is { Length: > 0 } value
            ? value
            : throw new ArgumentException($"{args[i]} needs a file.");

    private static string DefaultFolder()
    {
        var current = Directory.GetCurrentDirectory();
        var folder = new DirectoryInfo(current);
        while (folder is not null && !File.Exists(Path.Join(folder.FullName, "Errand.slnx")))
        {
            folder = folder.Parent;
        }

        return Path.GetRelativePath(current, folder?.FullName ?? current);
    }

    private static bool IsConnectionString(string database) =>
        database.StartsWith("Host=", StringComparison.OrdinalIgnoreCase);

    private static string DatabaseOf(string? given, string root) => given switch
    {
        null => TemporaryFile(Environment.UserName, root),
        _ when IsConnectionString(given) => given,
        _ => RealPath.Of(given),
    };

    private static string TemporaryFile(string owner, string root)
    {
        var hash = SHA256.HashData(Encoding.UTF8.GetBytes($"{owner}:{root}"));
        return Path.Join(Path.GetTempPath(), $"errand-checksums-{Convert.ToHexStringLower(hash.AsSpan(0, 8))}.db");
    }
}
