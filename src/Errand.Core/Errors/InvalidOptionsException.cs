namespace Errand;

/// <summary>The options cannot work. The exception lists every problem that they have.</summary>
public sealed class InvalidOptionsException : ArgumentException
{
    /// <summary>Creates the exception.</summary>
    /// <param name="options">The type of the options.</param>
    /// <param name="problems">Each problem as a sentence without its full stop.</param>
    public InvalidOptionsException(string options, IReadOnlyList<string> problems)
        : base(MessageOf(options, problems))
    {
        Problems = problems;
    }

    /// <summary>Each problem as a sentence: the option, its value, and what is allowed.</summary>
    public IReadOnlyList<string> Problems { get; }

    /// <summary>One problem stands in the line; several have a line each.</summary>
    private static string MessageOf(string options, IReadOnlyList<string> problems)
    {
        ArgumentNullException.ThrowIfNull(problems);
        return problems is [var one]
            ? $"{options}: {one}."
            : $"{options} has {problems.Count} problems:{string.Concat(problems.Select(problem => $"\n- {problem}."))}";
    }
}
