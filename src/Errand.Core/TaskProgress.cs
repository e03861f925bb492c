namespace Errand;

/// <summary>The progress that a handler last reported.</summary>
public sealed record TaskProgress
{
    /// <summary>From 0 to 1; null if the handler gave none.</summary>
    public required double? Fraction { get; init; }

    /// <summary>The handler's own text, at most 1,024 characters; null if it gave none.</summary>
    public required string? Message { get; init; }

    /// <summary>When the report was stored, by the backend's clock.</summary>
    public required DateTimeOffset ReportedAt { get; init; }
}
