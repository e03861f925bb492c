namespace Errand.Sqlite;

/// <summary>How a <see cref="SqliteBackend"/> keeps its tasks.</summary>
public sealed record SqliteBackendOptions
{
    /// <summary>
    /// What a commit survives. Default is <see cref="Durability.Full"/>. Means nothing to <c>:memory:</c>.
    /// </summary>
    public Durability Durability { get; init; } = Durability.Full;

    /// <summary>
    /// How long finished tasks are kept with their results and history: succeeded ones, and cancelled and expired ones
    /// that have no retention of their own. Default is 1 day; 1 second to 3,650 days.
    /// </summary>
    public TimeSpan Retention { get; init; } = Defaults.Retention;

    /// <summary>
    /// How long failed tasks are kept. Default is null: until they are removed; 1 second to 3,650 days.
    /// </summary>
    public TimeSpan? FailedRetention { get; init; }

    /// <summary>
    /// How long cancelled tasks are kept. Default is null: as <see cref="Retention"/>; 1 second to 3,650 days.
    /// </summary>
    public TimeSpan? CancelledRetention { get; init; }

    /// <summary>
    /// How long expired tasks are kept. Default is null: as <see cref="Retention"/>; 1 second to 3,650 days.
    /// </summary>
    public TimeSpan? ExpiredRetention { get; init; }

    /// <summary>
    /// How long a call waits for another program that holds the file before it throws <see
    /// cref="BackendBusyException"/>. Default is 5 seconds; 1 ms to 10 minutes.
    /// </summary>
    public TimeSpan BusyTimeout { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>
    /// The largest size of the database in bytes, beyond which enqueueing throws <see cref="BackendFullException"/>.
    /// Default is null: the disk's, or in <c>:memory:</c> the machine's. At least 1 MiB.
    /// </summary>
    public long? MaxDatabaseBytes { get; init; }

    /// <summary>The clock of due times and retention. Default is the system's.</summary>
    public TimeProvider TimeProvider { get; init; } = TimeProvider.System;

    /// <summary>Draws worker ids and the length of busy waits. Used by the writer thread alone.</summary>
    internal Random Random { get; init; } = new();

    /// <summary>
    /// The file system layer of SQLite that files are opened with. Null is its own; tests of power cuts give theirs.
    /// </summary>
    internal string? Vfs { get; init; }

    /// <summary>The steps of the schema that this engine knows; tests of upgrades add one.</summary>
    internal IReadOnlyList<Migration> Migrations { get; init; } = Migration.All;

    /// <summary>Pages in the log after which they are moved to the database: 16 MiB of 4 KiB pages.</summary>
    internal int CheckpointPages { get; init; } = 4_096;

    /// <summary>
    /// Told, mostly on the writer thread, what is being done; the torture program kills its process there.
    /// </summary>
    internal Action<EnginePoint>? Reached { get; init; }

    /// <summary>These options with what a configuration says: its words win.</summary>
    internal SqliteBackendOptions With(OptionValues values)
    {
        var durability = values.Read(nameof(Durability), Durability); // In the order in which problems name the options.
        var periods = Periods.With(values);
        return this with
        {
            Durability = durability,
            BusyTimeout = values.Read(nameof(BusyTimeout), BusyTimeout),
            MaxDatabaseBytes = values.Read(nameof(MaxDatabaseBytes), MaxDatabaseBytes),
            Retention = periods.Succeeded,
            FailedRetention = periods.Failed,
            CancelledRetention = periods.Cancelled,
            ExpiredRetention = periods.Expired,
        };
    }

    /// <summary>How long finished tasks are kept, by how they ended.</summary>
    internal RetentionPeriods Periods => new(Retention, FailedRetention, CancelledRetention, ExpiredRetention);

    internal SqliteBackendOptions Validated()
    {
        var problems = new OptionProblems(nameof(SqliteBackendOptions));
        CollectProblems(problems);
        problems.ThrowIfAny();
        return this;
    }

    internal void CollectProblems(OptionProblems problems)
    {
        problems.Range(!Enum.IsDefined(Durability), nameof(Durability), Durability, "Full or Relaxed");
        Periods.CollectProblems(problems);
        problems.Range(
            BusyTimeout < TimeSpan.FromMilliseconds(1) || BusyTimeout > TimeSpan.FromMinutes(10),
            nameof(BusyTimeout), BusyTimeout, "1 ms to 10 minutes");
        problems.Range(MaxDatabaseBytes < 1024 * 1024, nameof(MaxDatabaseBytes), MaxDatabaseBytes, "1 MiB or more");
    }
}
