using Microsoft.Extensions.Logging;

namespace Errand.PostgreSql;

/// <summary>
/// The parts of the engine, built in one place. A feature is a line here: what it needs is given to it, and what it
/// hears it says itself.
/// </summary>
internal sealed class Parts
{
    internal Parts(
        PostgresStore store, PostgresBackendOptions options, Inbox inbox, ILogger logger,
        CancellationTokenSource closing)
    {
        var time = options.TimeProvider;
        var clock = new StoreClock(options);
        var sessions = new Sessions(store, options, logger, closing.Token);
        var schema = new SchemaWatch(store, time);
        var waiting = new WaitingWorkers<Turn, Waiting>(inbox, time);
        var workers = new Incarnations(waiting, store, clock);
        var locks = new IdLocks(store);
        var unique = new UniqueKeys(clock);
        var expiry = new Expiry(clock);
        var promotion = new Promotion(waiting, clock, time);
        var vacuum = new Vacuum(store, options, time, logger, closing.Token);
        var results = new Results(inbox, time, sessions);
        var held = new HeldTasks(store, options, sessions, locks, time);
        var parking = new Parking(clock, promotion, logger);
        Pauses = new Pauses();
        Reserving = new Reserving(
            waiting, workers, new Readiness(), schema, clock, time, Pauses, promotion,
            parking);
        Enqueuing = new Enqueuing(inbox, clock, locks, unique, Reserving, promotion);
        Settling = new Settling(clock, expiry, vacuum);
        Cancellation = new Cancellation(workers, clock, time);
        Progress = new Progress(clock);
        Results = results;
        var sweep = new Sweep(workers, clock, time, Pauses, Cancellation, expiry, logger);
        WorkerLife = new WorkerLife(workers, clock, options.Random, sweep, expiry, parking);
        Heartbeats = new Heartbeats(store, clock, inbox, workers);
        var neighbours = new Neighbours(inbox, time, waiting, results);
        Notifications = new Notifications(store, options, sessions, neighbours, schema, results, logger, closing);
        Looks = new Looks(store);
        Overview = new Overview(clock);
        WorkerList = new WorkerList(clock);
        TaskLookup = new TaskLookup(clock, WorkerList);
        Retries = new Retries(clock);

        // In the order in which they hear of each moment.
        var parts = new PartList<Turn>(
            schema,
            workers,
            new Undelivered(waiting), // Before the workers forget what they have asked for.
            Reserving,
            promotion,
            Pauses,
            unique,
            sweep,
            expiry,
            Cancellation,
            new Retention(options.RetentionPeriods, unique, clock, time),
            new Attempts(),
            Progress,
            new AttemptLogs(),
            held,
            neighbours,
            Notifications, // After reserving.
            vacuum,
            results);
        Transactions = new CallersTransactions(store, inbox, parts, Enqueuing, Settling, neighbours);
        Bulk = new Bulk(store, options, inbox, Transactions, closing);
        Writer = new Writer(
            store, options, clock, inbox, sessions, parts, schema, neighbours, held, results, logger, closing);
    }

    internal Writer Writer { get; }

    internal Enqueuing Enqueuing { get; }

    internal CallersTransactions Transactions { get; }

    internal Bulk Bulk { get; }

    internal Reserving Reserving { get; }

    internal Pauses Pauses { get; }

    internal Settling Settling { get; }

    internal Cancellation Cancellation { get; }

    internal Progress Progress { get; }

    internal Results Results { get; }

    internal WorkerLife WorkerLife { get; }

    internal Heartbeats Heartbeats { get; }

    internal Notifications Notifications { get; }

    internal Looks Looks { get; }

    internal Overview Overview { get; }

    internal TaskLookup TaskLookup { get; }

    internal WorkerList WorkerList { get; }

    internal Retries Retries { get; }
}
