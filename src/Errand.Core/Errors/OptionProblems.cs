using System.Globalization;

namespace Errand;

/// <summary>Collects what is wrong with one options object, so that the user hears of all of it at once.</summary>
internal sealed class OptionProblems
{
    internal const int MaxBytes = 256 * 1024 * 1024;
    internal const int MaxNameLength = 128;

    private readonly string _options;
    private readonly string _prefix;
    private readonly List<string> _problems;

    internal OptionProblems(string options)
        : this(options, "", [])
    {
    }

    private OptionProblems(string options, string prefix, List<string> problems)
    {
        _options = options;
        _prefix = prefix;
        _problems = problems;
    }

    /// <summary>The same list, for the options that stand in <paramref name="property"/>.</summary>
    internal OptionProblems Within(string property) => new(_options, property + ".", _problems);

    internal void Add(string problem) => _problems.Add(_prefix + problem);

    internal void Range(bool isOutside, string property, object? value, string allowed)
    {
        if (isOutside)
        {
            Add(string.Create(CultureInfo.InvariantCulture, $"{property} is {value}; allowed is {allowed}"));
        }
    }

    internal void Name(string? value, string property)
    {
        if (NameProblem(value) is { } problem)
        {
            Add($"{property} {problem}");
        }
    }

    internal void ThrowIfAny()
    {
        if (_problems.Count > 0)
        {
            throw ToException();
        }
    }

    internal InvalidOptionsException ToException() => new(_options, _problems);

    /// <summary>What is wrong with a name of a task or queue, or null. The value is shown only when it is short.</summary>
    internal static string? NameProblem(string? name)
    {
        const string Allowed = "allowed are 1 to 128 letters, digits and . _ - : /";
        if (string.IsNullOrEmpty(name))
        {
            return $"is empty; {Allowed}";
        }

        if (name.Length > MaxNameLength)
        {
            return $"has {name.Length.ToString("N0", CultureInfo.InvariantCulture)} characters; {Allowed}";
        }

        foreach (var character in name)
        {
            if (!char.IsLetterOrDigit(character) && !"._-:/".Contains(character, StringComparison.Ordinal))
            {
                return $"holds the character U+{(int)character:X4}; {Allowed}";
            }
        }

        return null;
    }
}
