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

    /// <summary>A text that is stored or looked for as it is: of any characters but NUL, and no half of a pair.</summary>
    internal void Text(string value, int maxLength, string property)
    {
        if (value.Length == 0 || value.Length > maxLength)
        {
            Add(string.Create(
                CultureInfo.InvariantCulture, $"{property} has {value.Length:N0} characters; allowed are 1 to {maxLength:N0}"));
        }
        else if (value.Contains('\0', StringComparison.Ordinal))
        {
            Add($"{property} holds the character U+0000; leave it out");
        }
        else if (!IsWellFormed(value))
        {
            Add($"{property} holds half of a surrogate pair; it could not be told from other texts once it is stored");
        }
    }

    /// <summary>Whether a text has no half of a surrogate pair.</summary>
    internal static bool IsWellFormed(string text)
    {
        for (var rest = text.AsSpan(); !rest.IsEmpty;)
        {
            if (System.Text.Rune.DecodeFromUtf16(rest, out _, out var taken) != System.Buffers.OperationStatus.Done)
            {
                return false;
            }

            rest = rest[taken..];
        }

        return true;
    }

    internal void ThrowIfAny()
    {
        if (_problems.Count > 0)
        {
            throw ToException();
        }
    }

    internal InvalidOptionsException ToException() => new(_options, _problems);

    /// <exception cref="ArgumentException">The value is no name of a queue.</exception>
    internal static void ThrowIfBad(string queue, string parameter)
    {
        if (NameProblem(queue) is { } problem)
        {
            throw new ArgumentException($"The name of the queue {problem}.", parameter);
        }
    }

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
