using System.Runtime.InteropServices;

namespace Errand.Sqlite.Data;

/// <summary>Which file a path leads to at this moment, and how many names that file has.</summary>
internal readonly partial record struct FileIdentity(ulong Device, ulong Inode, uint Names)
{
    private const int CurrentFolder = -100; // AT_FDCWD, for paths that are not absolute.
    private const uint Basics = 0x7FF; // STATX_BASIC_STATS

    /// <returns>Null where there is no such file, and on systems that cannot tell: only Linux is asked.</returns>
    internal static FileIdentity? Of(string path)
    {
        if (!OperatingSystem.IsLinux())
        {
            return null;
        }

        try
        {
            return StatX(CurrentFolder, path, 0, Basics, out var found) == 0
                ? new FileIdentity(((ulong)found.DeviceMajor << 32) | found.DeviceMinor, found.Inode, found.Names)
                : null;
        }
        catch (EntryPointNotFoundException)
        {
            return null; // An old C library.
        }
    }

    /// <summary>Whether it is the same file, whatever names it has now.</summary>
    internal bool IsSameAs(FileIdentity other) => Device == other.Device && Inode == other.Inode;

    [LibraryImport("libc", EntryPoint = "statx", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int StatX(int folder, string path, int flags, uint mask, out Found found);

    /// <summary>What the kernel says, laid out alike on every architecture (https://man7.org/linux/man-pages/man2/statx.2.html).</summary>
    [StructLayout(LayoutKind.Explicit, Size = 256)]
    private readonly struct Found
    {
        [FieldOffset(16)]
        internal readonly uint Names;

        [FieldOffset(32)]
        internal readonly ulong Inode;

        [FieldOffset(136)]
        internal readonly uint DeviceMajor;

        [FieldOffset(140)]
        internal readonly uint DeviceMinor;
    }
}
