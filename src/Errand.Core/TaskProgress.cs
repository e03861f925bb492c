namespace Errand;

/// <summary>How far a handler says that it has come.</summary>
/// <param name="Fraction">From 0 to 1; null when it said nothing of it.</param>
/// <param name="Message">Its own words, at most 1,024 characters; null when there are none.</param>
/// <param name="ReportedAt">When that was stored, by the backend's clock.</param>
public sealed record TaskProgress(double? Fraction, string? Message, DateTimeOffset ReportedAt);
