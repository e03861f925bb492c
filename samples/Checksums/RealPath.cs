namespace Checksums;

/// <summary>Resolves a path as the system does, so that a file has one name however it was reached.</summary>
internal static class RealPath
{
    internal static string Of(string path, int linksLeft = 40)
    {
        var start = Path.GetPathRoot(path) ?? "";
        var real = Path.GetFullPath(start == "" ? "." : start);
        foreach (var part in path[start.Length..].Split([Path.DirectorySeparatorChar, Path.AltDirectorySeparatorChar]))
        {
            var next = Path.Join(real, part);
            real = part switch
            {
                "" or "." => real,
                ".." => Path.GetDirectoryName(real) ?? real,
                _ when new FileInfo(next).LinkTarget is { } target => linksLeft > 0
                    ? Of(Path.Combine(real, target), linksLeft - 1)
                    : throw new IOException($"'{path}' goes round in a circle of links."),
                _ => next,
            };
        }

        return real;
    }
}
