using Microsoft.Extensions.Logging;

namespace Errand.Sqlite.Diagnostics;

/// <summary>All wording of the SQLite backend's log. Ids are stable: 3xx.</summary>
internal static partial class Log
{
    [LoggerMessage(300, LogLevel.Error, "The writer of a SQLite backend failed, which is a fault in Errand; it continues.")]
    internal static partial void WriterFault(ILogger logger, Exception exception);

    [LoggerMessage(301, LogLevel.Warning, "The connection to '{Path}' is replaced after an error.")]
    internal static partial void ConnectionReplaced(ILogger logger, string path, Exception exception);

    [LoggerMessage(302, LogLevel.Warning,
        "SQLite {Version} has the WAL-reset bug, which can damage '{Path}' when one program writes while another checkpoints. "
        + "Errand avoids it; other programs that use the file may not. Use SQLite 3.51.3 or later.")]
    internal static partial void LibraryInRange(ILogger logger, string version, string path);

    [LoggerMessage(303, LogLevel.Warning,
        "Worker {Owner} on {Host} (process {Process}) is gone: {Reason}. Its {Tasks} tasks were released, or failed when out of "
        + "attempts.")]
    internal static partial void WorkerGone(
        ILogger logger, long owner, string host, long process, string reason, int tasks);

    [LoggerMessage(304, LogLevel.Warning,
        "Tasks named '{TaskName}' are parked, for {Time} at a time: no live worker knows the name. No attempt is charged. This is "
        + "reported once in that time.")]
    internal static partial void Parked(ILogger logger, string taskName, TimeSpan time);

    [LoggerMessage(305, LogLevel.Warning, "Upkeep of '{Path}' failed and will be tried again.")]
    internal static partial void UpkeepFailed(ILogger logger, string path, Exception exception);

    [LoggerMessage(306, LogLevel.Warning,
        "The write-ahead log of '{Path}' has {Bytes} bytes, and cannot be shortened for {Time}: a program reads an old state of the "
        + "database in a transaction that does not end. End that transaction.")]
    internal static partial void LogHeldBack(ILogger logger, string path, long bytes, TimeSpan time);

    [LoggerMessage(307, LogLevel.Warning,
        "'{Path}' was upgraded by a newer version of Errand. This process finishes the tasks that it runs and takes no new ones; "
        + "update it.")]
    internal static partial void Outdated(ILogger logger, string path, Exception exception);

    [LoggerMessage(308, LogLevel.Warning,
        "{Tasks} tasks ran on worker {Owner}, which is not registered. They were released, or failed when out of attempts.")]
    internal static partial void OrphansReleased(ILogger logger, long owner, int tasks);

    [LoggerMessage(312, LogLevel.Warning, "'{Path}' could not be closed cleanly.")]
    internal static partial void CloseFailed(ILogger logger, string path, Exception exception);

    [LoggerMessage(309, LogLevel.Warning,
        "Files beside '{Path}' cannot be locked, as on some network file systems. The end of a worker's process is therefore noticed "
        + "only when its lease runs out. Use a local disk; do not set DOTNET_SYSTEM_IO_DISABLEFILELOCKING.")]
    internal static partial void LocksDoNotLock(ILogger logger, string path);
}
