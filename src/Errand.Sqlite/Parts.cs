using System.Collections.Frozen;
using Microsoft.Extensions.Logging;

namespace Errand.Sqlite;

/// <summary>
/// The parts of this store, and the order in which they hear of each moment of a turn. A feature is a folder of its own
/// and one line here.
/// </summary>
internal sealed class Parts
{
    internal Parts(SqliteStore store, SqliteBackendOptions options, Inbox inbox, ILogger logger)
    {
        var time = options.TimeProvider;
        var waiting = new WaitingWorkers<Turn, Waiting>(inbox, time);
        var vacuum = new Vacuum(store, time);
        var promotion = new Promotion(waiting);
        Incarnations = new Incarnations();
        Running = new RunningTasks();
        Incarnations.WhenDropped((owner, _) => Running.Forget(owner, FrozenSet<TaskId>.Empty));
        Results = new Results(inbox, time);
        Neighbours = new Neighbours(store, Incarnations, waiting, Results, inbox, time, DoubtAll);
        All = new PartList<Turn>(
            Neighbours,
            Incarnations,
            Sweep = new Sweep(store, Incarnations, time, logger),
            Pauses = new Pauses(),
            new UniqueKeys(time),
            new Expiry(),
            Parking = new Parking(logger),
            promotion,
            Reserving = new Reserving(waiting, Incarnations, Pauses, Parking, promotion, Running, time),
            Cancellation = new Cancellation(Incarnations, time),
            new Attempts(),
            new Progress(),
            new AttemptLogs(),
            Settling = new Settling(Results, Running),
            Results,
            new Retention(options.Periods, vacuum, time, WithTasks),
            Vacuum = vacuum,
            Log = new WriteAheadLog(store, options, logger));
    }

    internal PartList<Turn> All { get; }

    private void DoubtAll(Doubt why) => All.Doubt(why);

    private Part<Turn>[] WithTasks() => All.Pruning;

    internal Neighbours Neighbours { get; }

    internal Incarnations Incarnations { get; }

    internal Sweep Sweep { get; }

    internal Pauses Pauses { get; }

    internal Parking Parking { get; }

    internal Reserving Reserving { get; }

    internal Cancellation Cancellation { get; }

    internal Settling Settling { get; }

    internal RunningTasks Running { get; }

    internal Results Results { get; }

    internal Vacuum Vacuum { get; }

    internal WriteAheadLog Log { get; }
}
