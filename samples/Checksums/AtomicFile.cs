using System.Text;

namespace Checksums;

/// <summary>Writes a file that is there in full or not at all, whenever the program or the machine stops.</summary>
internal static class AtomicFile
{
    internal static string TemporaryPathOf(string path) => path + ".tmp";

    internal static void WriteLines(string path, IEnumerable<string> lines)
    {
        var temporary = TemporaryPathOf(path);
        using (var file = new FileStream(temporary, FileMode.Create, FileAccess.Write))
        {
            using (var writer = new StreamWriter(file, new UTF8Encoding(false), leaveOpen: true) { NewLine = "\n" })
            {
                foreach (var line in lines)
                {
                    writer.WriteLine(line);
                }
            }

            file.Flush(flushToDisk: true);
        }

        File.Move(temporary, path, overwrite: true);
    }
}
