namespace Errand.Sqlite;

/// <summary>The result of <see cref="SqliteBackend.VerifyAsync"/>.</summary>
public sealed record SqliteVerification
{
    /// <summary>The most problems of one kind that are listed: 20.</summary>
    public const int ProblemsOfOneKind = 20;

    /// <summary>
    /// One sentence for each problem, at most <see cref="ProblemsOfOneKind"/> of one kind; empty if there is none.
    /// </summary>
    public required IReadOnlyList<string> Problems { get; init; }

    /// <summary>Whether no problem was found.</summary>
    public bool IsSound => Problems.Count == 0;
}
