namespace Errand.Sqlite;

/// <summary>What <see cref="SqliteBackend.VerifyAsync"/> has found of a database.</summary>
/// <param name="Problems">
/// One sentence for each thing that is not as it must be, at most <see cref="ProblemsOfOneKind"/> of one kind; empty when all is well.
/// </param>
public sealed record SqliteVerification(IReadOnlyList<string> Problems)
{
    /// <summary>How many problems of one kind are told at most: 20.</summary>
    public const int ProblemsOfOneKind = 20;

    /// <summary>Whether all is as it must be.</summary>
    public bool IsSound => Problems.Count == 0;
}
