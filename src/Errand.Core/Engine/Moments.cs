namespace Errand.Engine;

/// <summary>The moments that a part can hear.</summary>
[Flags]
internal enum Moments
{
    None = 0,
    Doubted = 1,
    Plan = 1 << 1,
    HasWork = 1 << 2,
    Upkeep = 1 << 3,
    Began = 1 << 4,
    Settled = 1 << 5,
    Fill = 1 << 6,
    Committing = 1 << 7,
    Committed = 1 << 8,
    Tidy = 1 << 9,
    Inserted = 1 << 10,
    WaitsAgain = 1 << 11,
    Removed = 1 << 12,
    Pruning = 1 << 13,
}
