namespace Errand.Sqlite.Data;

/// <summary>Files beside a database, with the permissions of the database itself.</summary>
internal static class PrivateFile
{
    /// <summary>Creates a file and holds it locked.</summary>
    /// <exception cref="IOException">There is one, or it cannot be created.</exception>
    internal static FileStream Create(string path, string database)
    {
        var options = new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.ReadWrite, Share = FileShare.None };
        if (!OperatingSystem.IsWindows())
        {
            options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        }

        var file = new FileStream(path, options);
        Share(path, database);
        return file;
    }

    /// <summary>Gives a file the mode of the database, whatever the process's umask says.</summary>
    internal static void Share(string path, string database)
    {
        if (!OperatingSystem.IsWindows() && File.Exists(database))
        {
            File.SetUnixFileMode(path, File.GetUnixFileMode(database));
        }
    }
}
