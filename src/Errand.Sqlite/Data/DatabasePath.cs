using System.Text.RegularExpressions;

namespace Errand.Sqlite.Data;

/// <summary>
/// A path is a path: what looks like something else is refused before a file of that name is created.
/// </summary>
internal static partial class DatabasePath
{
    /// <exception cref="ArgumentException">It is empty, a connection string, a URI, or a misspelled <c>:memory:</c>.</exception>
    internal static void Check(string path)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(path);
        if (Problem(path) is { } problem)
        {
            throw new ArgumentException(problem, nameof(path));
        }
    }

    private static string? Problem(string path)
    {
        if (path == ":memory:")
        {
            return null;
        }

        if (DataSource.Match(path) is { Success: true } source)
        {
            return $"The path is a connection string. Give the path of the file alone: '{source.Groups["source"].Value.Trim(' ', '"', '\'')}'.";
        }

        if (path.StartsWith("file:", StringComparison.OrdinalIgnoreCase))
        {
            return $"The path '{path}' is a URI. Give a path such as 'tasks.db'; a file that is really called so is './{path}'.";
        }

        if (path.Trim().Equals(":memory:", StringComparison.OrdinalIgnoreCase))
        {
            return $"The path '{path}' would be a file of that name. For a database in memory give ':memory:', in lower case and without spaces.";
        }

        return path.Contains("|DataDirectory|", StringComparison.OrdinalIgnoreCase)
            ? $"The path '{path}' has the placeholder |DataDirectory|, which is not replaced. Give the folder itself, for example with Path.Combine."
            : null;
    }

    // https://learn.microsoft.com/dotnet/standard/data/sqlite/connection-strings
    [GeneratedRegex("(?:^|;)\\s*(?:Data\\s*Source|Filename)\\s*=\\s*(?<source>[^;]*)", RegexOptions.IgnoreCase | RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture, Timeout.Infinite)]
    private static partial Regex DataSource { get; }
}
