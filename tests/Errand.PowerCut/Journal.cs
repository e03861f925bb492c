using System.Runtime.InteropServices;
using System.Text;

namespace Errand.PowerCut;

/// <summary>What a record of the journal is about: the numbers of cutvfs.c, then the marks that the script sets.</summary>
internal enum RecordKind
{
    Write,
    Sync,
    Truncate,
    FailedSync,
    Create,
    Delete,
    SyncFolder,

    /// <summary>The step of this number is about to be asked for.</summary>
    Asked = 100,

    /// <summary>The step of this number was acknowledged.</summary>
    Acknowledged,

    /// <summary>The time, ms UTC.</summary>
    Clock,

    /// <summary>An id was given out.</summary>
    Id,
}

/// <summary>One line of the journal.</summary>
/// <param name="Kind">What was done.</param>
/// <param name="File">To which file; a file that is created anew has a new number.</param>
/// <param name="At">The offset, the new size, or the value of a mark.</param>
/// <param name="Bytes">What was written, or the path of what was created.</param>
internal sealed record JournalRecord(RecordKind Kind, int File, long At, byte[] Bytes)
{
    internal bool IsMark => Kind >= RecordKind.Asked;

    internal string Name => Path.GetFileName(Encoding.UTF8.GetString(Bytes));
}

/// <summary>All that was asked of the disk, in order.</summary>
internal static class Journal
{
    internal static List<JournalRecord> Read(string path)
    {
        List<JournalRecord> records = [];
        ReadOnlySpan<byte> rest = File.ReadAllBytes(path);
        while (rest.Length > 0)
        {
            var head = MemoryMarshal.Read<Head>(rest);
            rest = rest[Marshal.SizeOf<Head>()..];
            records.Add(new JournalRecord((RecordKind)head.Kind, head.File, head.At, rest[..(int)head.Size].ToArray()));
            rest = rest[(int)head.Size..];
        }

        return records;
    }

    /// <summary>As cut_record_t in cutvfs.c.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private readonly record struct Head(int Kind, int File, long At, long Size);
}
