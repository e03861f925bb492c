using System.Security.Cryptography;
using System.Text;

namespace Checksums;

/// <summary>What the command line asks for. The names in the manifest begin with the folder as it was given.</summary>
internal sealed record Arguments(string Folder, string Root, string Database, string Manifest)
{
    internal const string Usage = """
        Usage: checksums [<folder>] [--db <file>] [--out <manifest>]

          <folder>          hash every file under it; default: the repository around the current directory, or that directory
          --db <file>       keep the tasks there; default: a file for this folder among the system's temporary files
          --out <manifest>  write the digests there, for sha256sum --check; default: checksums.sha256
        """;

    internal string Plan => Database + ".plan";

    internal static Arguments Parse(string[] args)
    {
        string? folder = null, database = null, manifest = "checksums.sha256";
        for (var i = 0; i < args.Length; i++)
        {
            if (args[i] is "--db" or "--out" && args.ElementAtOrDefault(i + 1) is null or "")
            {
                throw new ArgumentException($"{args[i]} needs a file.");
            }

            _ = args[i] switch
            {
                "--db" => database = args[++i],
                "--out" => manifest = args[++i],
                "" or ['-', ..] => throw new ArgumentException($"There is no option '{args[i]}'."),
                _ => folder = folder is null ? args[i] : throw new ArgumentException("There is more than one folder."),
            };
        }

        folder ??= DefaultFolder();
        var root = RealPath.Of(folder);
        var parsed = new Arguments(folder, root, RealPath.Of(database ?? DefaultDatabase(root)), RealPath.Of(manifest));
        return !Directory.Exists(root) ? throw new DirectoryNotFoundException($"There is no folder '{folder}'.")
            : !Directory.Exists(Path.GetDirectoryName(parsed.Manifest)) || Directory.Exists(parsed.Manifest)
                ? throw new IOException($"'{manifest}' cannot be written: it is a folder, or its folder does not exist.")
            : parsed.Database == parsed.Manifest ? throw new ArgumentException("--db and --out are the same file.")
            : parsed;
    }

    /// <summary>Whether a path is one that this program writes: it would change while it is hashed.</summary>
    internal bool IsOurs(string path) =>
        path == Manifest || path == AtomicFile.TemporaryPathOf(Manifest)
        || path == Plan || path == AtomicFile.TemporaryPathOf(Plan)
        || (path.StartsWith(Database, StringComparison.Ordinal)
            && (path[Database.Length..] is "" or "-wal" or "-shm" or "-journal"
                || path.AsSpan(Database.Length).StartsWith("-worker-", StringComparison.Ordinal)));

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

    private static string DefaultDatabase(string root)
    {
        var hash = SHA256.HashData(Encoding.UTF8.GetBytes($"{Environment.UserName}:{root}"));
        return Path.Join(Path.GetTempPath(), $"errand-checksums-{Convert.ToHexStringLower(hash.AsSpan(0, 8))}.db");
    }
}
