using System.Globalization;
using System.Runtime.InteropServices;
using System.Runtime.Versioning;
using System.Text;

namespace Errand.Sqlite.Upkeep;

/// <summary>
/// A file that is written beside its name, and given it when it is complete; else nothing is left of it.
/// </summary>
internal sealed class BackupFile : IDisposable
{
    private readonly string _path;
    private bool _isKept;

    private BackupFile(string path, string temporaryPath, string name)
    {
        _path = path;
        TemporaryPath = temporaryPath;
        Name = name;
    }

    /// <summary>Where it is written: in the same folder, so that it can be renamed.</summary>
    internal string TemporaryPath { get; }

    /// <summary>As it is named in messages.</summary>
    internal string Name { get; }

    /// <summary>Creates it, empty, for its owner alone: payloads may hold secrets.</summary>
    /// <param name="path">The path that it is to have.</param>
    /// <param name="original">How that which it is a copy of is named in messages.</param>
    internal static BackupFile Create(string path, string original)
    {
        var full = Path.GetFullPath(path);
        if (Path.Exists(full))
        {
            throw Taken(full);
        }

        var folder = Path.GetDirectoryName(full);
        if (!Directory.Exists(folder))
        {
            throw new BackendException($"The backup '{full}' cannot be written: its folder does not exist. Create '{folder}' first.");
        }

        var temporary = string.Create(CultureInfo.InvariantCulture, $"{full}.{new Random().NextInt64():x16}.part");
        var options = new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write };
        if (!OperatingSystem.IsWindows())
        {
            options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        }

        try
        {
            new FileStream(temporary, options).Dispose();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new BackendException($"The backup '{full}' cannot be written: {e.Message}", false, e);
        }

        return new BackupFile(full, temporary, $"The copy '{full}' of {char.ToLowerInvariant(original[0])}{original[1..]}");
    }

    /// <summary>It is complete: it is synced, and gets its name.</summary>
    internal void Keep()
    {
        try
        {
            using (var file = new FileStream(TemporaryPath, FileMode.Open, FileAccess.ReadWrite))
            {
                file.Flush(flushToDisk: true);
            }

            File.Move(TemporaryPath, _path); // Never over another.
            _isKept = true;
            if (!OperatingSystem.IsWindows())
            {
                SyncFolder();
            }
        }
        catch (IOException) when (Path.Exists(_path))
        {
            throw Taken(_path); // Somebody was quicker.
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new BackendException($"The backup '{_path}' cannot be written: {e.Message}", false, e);
        }
    }

    public void Dispose()
    {
        if (!_isKept)
        {
            foreach (var end in (ReadOnlySpan<string>)["", "-journal", "-wal", "-shm"])
            {
                Remove(TemporaryPath + end);
            }
        }
    }

    /// <summary>
    /// A name is kept by the folder, which .NET cannot sync. Where the system does not either, the copy is complete
    /// under its old name or its new one.
    /// </summary>
    [UnsupportedOSPlatform("windows")]
    private void SyncFolder()
    {
        var folder = Open(Encoding.UTF8.GetBytes(Path.GetDirectoryName(_path) + '\0'), flags: 0);
        if (folder >= 0)
        {
            _ = Sync(folder);
            _ = Close(folder);
        }
    }

    [DllImport("libc", EntryPoint = "open")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int Open(byte[] path, int flags);

    [DllImport("libc", EntryPoint = "fsync")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int Sync(int file);

    [DllImport("libc", EntryPoint = "close")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int Close(int file);

    private static void Remove(string path)
    {
        try
        {
            File.Delete(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // Litter, not harm; what went wrong before is told.
        }
    }

    private static BackendException Taken(string path) => new(
        $"The backup '{path}' cannot be written: there is something already, and it was not changed. Choose another path.");
}
