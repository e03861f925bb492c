namespace Errand.Sqlite.Workers;

/// <summary>What the database says of a worker, of whatever process.</summary>
internal sealed record WorkerRow(long Owner, long Beat, TimeSpan Lease, string Host, long Process);
