namespace Errand.Storage;

/// <summary>
/// Where a backend's store is: by its path or connection string, or by the name of a connection string. The configuration may
/// redirect what the code says.
/// </summary>
internal static class ConnectionChoice
{
    private const string NameOption = "ConnectionName";
    private const string NamePrefix = "Name=";

    /// <summary>Chooses between what the configuration and what the code says.</summary>
    /// <param name="values">The backend's section of the configuration.</param>
    /// <param name="option">The option that holds the path or connection string itself.</param>
    /// <param name="text">The path or connection string in code; null for none. <c>Name=shop</c> is a name.</param>
    /// <param name="name">The name of a connection string in code; null for none.</param>
    /// <param name="problems">Takes what is wrong.</param>
    /// <returns>The text, and the name that it was found by; the text is null if there is none.</returns>
    internal static (string? Text, string? Name) Choose(
        OptionValues values, string option, string? text, string? name, OptionProblems problems)
    {
        var configured = Given(values.Read(option, default(string)));
        var configuredName = Given(values.Read(NameOption, default(string)));
        if (configured is not null && configuredName is not null)
        {
            problems.Add($"{option} and {NameOption} are both set; keep one");
        }

        if (Given(text) is not null && Given(name) is not null)
        {
            problems.Add($"{option} is given in code together with the name '{name}' of a connection string; keep one");
        }

        var isConfigured = configured is not null || configuredName is not null;
        var chosen = isConfigured ? configured : Given(text);
        var chosenName = isConfigured ? configuredName : Given(name);
        if (chosen?.StartsWith(NamePrefix, StringComparison.OrdinalIgnoreCase) == true)
        {
            chosenName = chosen[NamePrefix.Length..].Trim();
        }

        if (chosenName is null)
        {
            return (chosen, null);
        }

        var found = Given(values.FindConnectionString(chosenName));
        if (found is null)
        {
            problems.Add($"{NameOption} is '{chosenName}', and the configuration has no ConnectionStrings:{chosenName}");
        }

        return (found, chosenName);
    }

    private static string? Given(string? text) => string.IsNullOrWhiteSpace(text) ? null : text;
}
