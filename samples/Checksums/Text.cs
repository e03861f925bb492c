namespace Checksums;

/// <summary>What is shown to people.</summary>
internal static class Text
{
    internal const string NotUtf8 = "its name is not valid UTF-8";

    /// <summary>A text on one line, harmless to a terminal.</summary>
    internal static string Printable(string text) =>
        string.Concat(text.Select(c => char.IsControl(c) ? $"\\x{(int)c:x2}" : c.ToString()));

    /// <summary>Why something could not be read, from an exception as text: its type first, its stack last.</summary>
    internal static string ReasonOf(string error, string path)
    {
        var words = error.Split(["\n   at ", "\n ---> "], StringSplitOptions.None)[0].Split(": ", 2);
        return words[0] switch
        {
            "System.UnauthorizedAccessException" => "permission denied",
            "System.IO.FileNotFoundException" or "System.IO.DirectoryNotFoundException" =>
                path.Contains('\uFFFD', StringComparison.Ordinal) ? NotUtf8 : "it is not there any more",
            _ => words[^1].TrimEnd(),
        };
    }
}
