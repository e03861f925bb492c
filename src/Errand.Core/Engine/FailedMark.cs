namespace Errand.Engine;

/// <summary>Where among the failed tasks one is.</summary>
internal readonly record struct FailedMark(long Finished, long Id);
