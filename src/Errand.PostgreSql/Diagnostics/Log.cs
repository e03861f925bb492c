using Microsoft.Extensions.Logging;

namespace Errand.PostgreSql.Diagnostics;

/// <summary>All wording of the PostgreSQL backend's log. Ids are stable: 4xx.</summary>
internal static partial class Log
{
    [LoggerMessage(400, LogLevel.Error,
        "A turn of a PostgreSQL backend failed, which is a fault in Errand; it continues.")]
    internal static partial void TurnFault(ILogger logger, Exception exception);

    [LoggerMessage(401, LogLevel.Warning, "The connection to {Store} failed; it is opened again.")]
    internal static partial void ConnectionReplaced(ILogger logger, string store, Exception exception);

    [LoggerMessage(402, LogLevel.Information, "{Store} can be reached again, after {Time}.")]
    internal static partial void ConnectionRestored(ILogger logger, string store, TimeSpan time);

    [LoggerMessage(403, LogLevel.Warning,
        "Worker {Owner} on {Host} (process {Process}) is not responding: its lease has expired. Its tasks are released "
        + "or, out of attempts, failed.")]
    internal static partial void WorkerGone(ILogger logger, long owner, string host, int process);

    [LoggerMessage(404, LogLevel.Warning,
        "Tasks named '{TaskName}' are parked, for {Time} at a time: no live worker knows the name. No attempt is charged. "
        + "This is reported once in that time.")]
    internal static partial void Parked(ILogger logger, string taskName, TimeSpan time);

    [LoggerMessage(405, LogLevel.Warning, "Upkeep of {Store} failed; it is retried.")]
    internal static partial void UpkeepFailed(ILogger logger, string store, Exception exception);

    [LoggerMessage(406, LogLevel.Information,
        "{Store} is behind a pooler of transactions: nothing is prepared, and polling finds the tasks of other "
        + "processes.")]
    internal static partial void Pooled(ILogger logger, string store);

    [LoggerMessage(407, LogLevel.Warning,
        "Notifications of {Store} are not received for now; polling finds tasks until the connection is back.")]
    internal static partial void ListenerLost(ILogger logger, string store, Exception exception);

    [LoggerMessage(408, LogLevel.Warning,
        "{Holder} has held a snapshot of {Store}'s database for {Age}: until it ends, vacuum can remove nothing that ended "
        + "since, and work becomes slower. There are {DeadRows} dead rows among the live tasks.")]
    internal static partial void OldSnapshot(
        ILogger logger, string store, string holder, string age, long deadRows);

    [LoggerMessage(409, LogLevel.Warning,
        "There are {DeadRows} dead rows among the live tasks of {Store}: vacuum does not keep up. Is something holding "
        + "it back?")]
    internal static partial void ManyDeadRows(ILogger logger, string store, long deadRows);

    [LoggerMessage(410, LogLevel.Warning,
        "This user cannot vacuum the live tasks of {Store}, because it owns neither the table errand_tasks nor the "
        + "database. Autovacuum alone may be too slow: let the user own the table or, from PostgreSQL 17 on, grant it "
        + "MAINTAIN.")]
    internal static partial void VacuumRefused(ILogger logger, string store);

    [LoggerMessage(411, LogLevel.Information,
        "{Tasks} tasks of workers that do not respond were released, and {Failed} failed.")]
    internal static partial void OrphansGivenBack(ILogger logger, int tasks, int failed);

    [LoggerMessage(420, LogLevel.Warning, "The connections to {Store} could not be closed cleanly.")]
    internal static partial void CloseFailed(ILogger logger, string store, Exception exception);

    [LoggerMessage(412, LogLevel.Warning,
        "'{Store}' was upgraded to schema version {Version} by a newer Errand. This process finishes the tasks that it "
        + "runs and takes no new ones; update it.")]
    internal static partial void Outdated(ILogger logger, string store, int version);

    [LoggerMessage(413, LogLevel.Warning,
        "{Tasks} live tasks of {Store} had the ids of finished ones and were given new ids. Ids are given twice when a "
        + "failover loses the server's last commits.")]
    internal static partial void IdsGivenTwice(ILogger logger, string store, int tasks);
}
