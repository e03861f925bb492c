using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace Errand.Diagnostics;

/// <summary>
/// The logger of the writers and the heartbeat threads. The user's logger, and whether it is enabled, is asked on the thread pool:
/// a slow one delays no enqueue and costs no lease.
/// </summary>
internal sealed class HandedOverLogger(ILogger logger, ReportQueue reports) : ILogger
{
    /// <summary>Scopes belong to callers, and a writer has none.</summary>
    public IDisposable? BeginScope<TState>(TState state)
        where TState : notnull => null;

    public bool IsEnabled(LogLevel logLevel) => logger is not NullLogger;

    public void Log<TState>(
        LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
        reports.Add(() =>
        {
            if (reports.TakeDropped() is > 0 and var dropped)
            {
                Diagnostics.Log.LinesDropped(logger, dropped, ReportQueue.Capacity);
            }

            if (logger.IsEnabled(logLevel))
            {
                logger.Log(logLevel, eventId, state, exception, formatter);
            }
        });
}
