using System.Globalization;

namespace Errand.Sqlite.Workers;

/// <summary>
/// A file beside the database that an incarnation holds locked for as long as its process lives: the system drops the
/// lock at the moment of death, so that others need not wait for the lease. (Process ids would lie: containers number
/// their own.)
/// </summary>
internal sealed class WorkerLockFile : IDisposable
{
    private const string Mark = "-worker-";

    private readonly FileStream _file;

    private WorkerLockFile(FileStream file) => _file = file;

    internal enum Liveness
    {
        /// <summary>Locked: its process lives, and its lease decides.</summary>
        Alive,

        /// <summary>There, but nobody holds it: its process is dead.</summary>
        Dead,

        /// <summary>Not there: it was taken away, or the worker is of another machine. Its lease decides.</summary>
        Unknown,
    }

    /// <returns>Null where file locks do not lock: then there is no such file, and the lease decides.</returns>
    internal static WorkerLockFile? Hold(string database, long owner)
    {
        var path = PathOf(database, owner);
        try
        {
            var file = new WorkerLockFile(PrivateFile.Create(path, database));
            if (IsLocked(path))
            {
                return file;
            }

            file.Dispose();
            return null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new BackendException($"The lock file '{path}' of a worker cannot be created: {e.Message}", false, e);
        }
    }

    internal static Liveness Probe(string database, long owner)
    {
        try
        {
            var path = PathOf(database, owner);
            using var file = new FileStream(path, FileMode.Open, FileAccess.ReadWrite, FileShare.None);
            return IsLocked(path) ? Liveness.Dead : Liveness.Unknown; // Where a lock of ours locks nothing, nobody's does.
        }
        catch (FileNotFoundException)
        {
            return Liveness.Unknown;
        }
        catch (IOException)
        {
            return Liveness.Alive;
        }
        catch (UnauthorizedAccessException)
        {
            return Liveness.Unknown; // Another user's: its lease decides.
        }
    }

    /// <summary>
    /// Whether a file that this process has just locked is locked: some network file systems take a lock and keep none,
    /// and .NET can be told to take none (DOTNET_SYSTEM_IO_DISABLEFILELOCKING).
    /// </summary>
    private static bool IsLocked(string path)
    {
        try
        {
            using var second = new FileStream(path, FileMode.Open, FileAccess.ReadWrite, FileShare.None);
            return false;
        }
        catch (IOException)
        {
            return true;
        }
    }

    /// <summary>The owners of all such files of a database; none where the folder may not be listed.</summary>
    internal static IReadOnlyList<long> Owners(string database)
    {
        var name = Path.GetFileName(database) + Mark;
        List<long> owners = [];
        try
        {
            foreach (var path in Directory.EnumerateFiles(Path.GetDirectoryName(database)!))
            {
                var file = Path.GetFileName(path);
                if (file.StartsWith(name, StringComparison.Ordinal)
                    && long.TryParse(file.AsSpan(name.Length), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var owner))
                {
                    owners.Add(owner);
                }
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // Stray files stay where they are; their owners are in no row, so nobody looks at them.
        }

        return owners;
    }

    internal static void Remove(string database, long owner)
    {
        try
        {
            File.Delete(WakePathOf(database, owner)); // First: what is found by its lock file must not outlast it.
            File.Delete(PathOf(database, owner));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // Litter, not harm: its owner id is in no row any more, so nobody looks at it again.
        }
    }

    /// <summary>Lets go and takes the file away, so that it reads as unknown rather than dead.</summary>
    public void Dispose()
    {
        // Deleted first: a moment of "there but free" would read as dead. Windows deletes no file that is open: there it
        // is let go first, when the row is gone already.
        var isDeleted = TryDelete();
        _file.Dispose();
        if (!isDeleted)
        {
            TryDelete();
        }
    }

    private bool TryDelete()
    {
        try
        {
            File.Delete(_file.Name);
            return true;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return false; // Litter, not harm: its folder may be gone, and nobody looks at it again.
        }
    }

    /// <summary>Where the worker listens for word from other processes.</summary>
    internal static string WakePathOf(string database, long owner) => PathOf(database, owner) + ".wake";

    private static string PathOf(string database, long owner) =>
        string.Create(CultureInfo.InvariantCulture, $"{database}{Mark}{owner:x}");
}
