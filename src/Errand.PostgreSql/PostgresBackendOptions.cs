namespace Errand.PostgreSql;

/// <summary>How a <see cref="PostgresBackend"/> keeps its tasks.</summary>
public sealed record PostgresBackendOptions
{
    /// <summary>
    /// The schema that holds the tables, made at the first use where there is none. Default is <c>errand</c>; 1 to 48
    /// letters, digits and underscores, of which the first is no digit. Its case counts.
    /// </summary>
    public string Schema { get; init; } = "errand";

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
    /// Whether processes tell each other of new tasks with NOTIFY. Default is true. Without it, as behind a pooler of
    /// transactions, they find them by polling, within a second.
    /// </summary>
    public bool UseNotify { get; init; } = true;

    /// <summary>
    /// How long a call waits for a server that is away, as when it restarts, or for a task that an open transaction of
    /// somebody else's holds, before it throws a transient <see cref="BackendException"/>. Default is 5 seconds; 1 ms
    /// to 10 minutes.
    /// </summary>
    public TimeSpan BusyTimeout { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>How long one statement may take. Default is 30 seconds; 1 second to 10 minutes.</summary>
    public TimeSpan CommandTimeout { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>
    /// The clock of waits and of polling. Default is the system's. Due times, leases and retention follow the server's
    /// clock alone.
    /// </summary>
    public TimeProvider TimeProvider { get; init; } = TimeProvider.System;

    /// <summary>What stands for the server's clock in tests. Null is the server's own.</summary>
    internal TimeProvider? ServerClock { get; init; }

    /// <summary>Draws worker ids and the length of waits. Used by the writer alone.</summary>
    internal Random Random { get; init; } = new();

    /// <summary>How long a transaction may hold a snapshot before it is warned of.</summary>
    internal TimeSpan OldSnapshot { get; init; } = TimeSpan.FromMinutes(1);

    /// <summary>
    /// How many transactions a snapshot may be old before it is warned of, where its time is hidden or not known.
    /// </summary>
    internal int OldTransactions { get; init; } = 50_000;

    /// <summary>Drops every notification that comes; tests see that polling is enough.</summary>
    internal bool DropNotifications { get; init; }

    /// <summary>The steps of the schema. Null is every step that this engine knows; tests add one.</summary>
    internal IReadOnlyList<Migration>? Migrations { get; init; }

    internal RetentionPeriods RetentionPeriods => new(Retention, FailedRetention, CancelledRetention, ExpiredRetention);

    /// <summary>These options with what a configuration says: its values win.</summary>
    internal PostgresBackendOptions With(OptionValues values) => this with
    {
        Schema = values.Read(nameof(Schema), Schema) ?? Schema,
        Retention = RetentionPeriods.With(values).Succeeded,
        FailedRetention = RetentionPeriods.With(values).Failed,
        CancelledRetention = RetentionPeriods.With(values).Cancelled,
        ExpiredRetention = RetentionPeriods.With(values).Expired,
        UseNotify = values.Read(nameof(UseNotify), UseNotify),
        BusyTimeout = values.Read(nameof(BusyTimeout), BusyTimeout),
        CommandTimeout = values.Read(nameof(CommandTimeout), CommandTimeout),
    };

    internal PostgresBackendOptions Validated()
    {
        var problems = new OptionProblems(nameof(PostgresBackendOptions));
        CollectProblems(problems);
        problems.ThrowIfAny();
        return this;
    }

    internal void CollectProblems(OptionProblems problems)
    {
        problems.Range(
            Schema is null || !PostgresStore.SchemaNames.IsMatch(Schema),
            nameof(Schema), $"'{Schema}'", "1 to 48 letters, digits and underscores, of which the first is no digit");
        RetentionPeriods.CollectProblems(problems);
        problems.Range(
            BusyTimeout < TimeSpan.FromMilliseconds(1) || BusyTimeout > TimeSpan.FromMinutes(10),
            nameof(BusyTimeout), BusyTimeout, "1 ms to 10 minutes");
        problems.Range(
            CommandTimeout < TimeSpan.FromSeconds(1) || CommandTimeout > TimeSpan.FromMinutes(10),
            nameof(CommandTimeout), CommandTimeout, "1 second to 10 minutes");
    }
}
