using System.Runtime.InteropServices;

namespace Checksums;

/// <summary>Finds the regular files under a folder. Symbolic links are neither followed nor listed.</summary>
internal static class FileList
{
    private static readonly EnumerationOptions Everything = new()
    {
        AttributesToSkip = FileAttributes.None,
        IgnoreInaccessible = false,
    };

    /// <summary>Lists the files, sorted by path, and with its problem what could not be read.</summary>
    internal static List<PlannedFile> Under(
        string root, Predicate<string> isLeftOut, CancellationToken cancellationToken)
    {
        var found = new List<PlannedFile>();
        var folders = new Stack<string>([""]);
        while (folders.TryPop(out var folder))
        {
            cancellationToken.ThrowIfCancellationRequested();
            try
            {
                foreach (var entry in new DirectoryInfo(Path.Join(root, folder)).GetFileSystemInfos("*", Everything))
                {
                    var path = Path.Join(folder, entry.Name);
                    if (entry is FileInfo && MayBeRegular(entry.FullName) && !isLeftOut(entry.FullName))
                    {
                        found.Add(new PlannedFile(default, path));
                    }
                    else if (entry is DirectoryInfo && entry.LinkTarget is null)
                    {
                        folders.Push(path);
                    }
                }
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                found.Add(new PlannedFile(default, folder, Text.ReasonOf(e.ToString(), folder)));
            }
        }

        // What is not UTF-8 in a name is read as U+FFFD. So two may look the same, of which one at most can be opened.
        return [.. found.GroupBy(file => file.Path, StringComparer.Ordinal)
            .SelectMany(same => same.Select((file, i) => i == 0 ? file : file with { Problem = Text.NotUtf8 }))
            .OrderBy(file => file.Path, StringComparer.Ordinal)];
    }

    /// <summary>
    /// Whether a path is a regular file, or cannot be looked at, so that opening it will tell why. To open a named pipe
    /// would wait for its writer, and to read a device might never end.
    /// </summary>
    internal static bool MayBeRegular(string path)
    {
        const int typeBits = 0xF000, regular = 0x8000;
        return OperatingSystem.IsWindows()
            ? new FileInfo(path).LinkTarget is null
            : LStat(path, out var status) != 0 || (status.Mode & typeBits) == regular;
    }

    // The class library does not tell a pipe from a file, so this asks the function beneath it.
    [DllImport("libSystem.Native", EntryPoint = "SystemNative_LStat")]
    private static extern int LStat([MarshalAs(UnmanagedType.LPUTF8Str)] string path, out FileStatus status);

    [StructLayout(LayoutKind.Explicit, Size = 256)]
    private struct FileStatus
    {
        [FieldOffset(4)]
        public int Mode;
    }
}
