namespace Checksums;

/// <summary>The list of digests, as <c>sha256sum --check</c> reads it.</summary>
internal static class Manifest
{
    internal static void Write(string path, IEnumerable<(string Name, string Digest)> files) =>
        AtomicFile.WriteLines(
            path,
            files.OrderBy(file => file.Name, StringComparer.Ordinal).Select(file => LineOf(file.Name, file.Digest)));

    /// <summary>A backslash at the start of the line says that the name is escaped.</summary>
    private static string LineOf(string name, string digest)
    {
        var escaped = name
            .Replace("\\", "\\\\", StringComparison.Ordinal)
            .Replace("\n", "\\n", StringComparison.Ordinal)
            .Replace("\r", "\\r", StringComparison.Ordinal);
        return $"{(escaped == name ? "" : "\\")}{digest}  {escaped}";
    }
}
