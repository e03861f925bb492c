namespace Errand.Running;

/// <summary>An exception as the text that is stored and shown.</summary>
internal static class ErrorText
{
    internal const int MaxLength = 16 * 1024;

    internal static string Of(Exception exception)
    {
        string? text;
        try
        {
            text = exception.ToString() ?? $"{exception.GetType().FullName} (its text is null)";
        }
        catch (Exception e)
        {
            // ToString and Message are the user's to override, and may throw.
            text = $"{exception.GetType().FullName} (its text could not be read: {e.GetType().Name})";
        }

        return text.Length <= MaxLength ? text : string.Concat(text.AsSpan(0, MaxLength - 1), "…");
    }
}
