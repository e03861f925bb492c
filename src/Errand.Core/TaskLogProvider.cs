using Errand.Running;
using Microsoft.Extensions.Logging;

namespace Errand;

/// <summary>
/// Gives workers what is logged within attempts, to be kept with them (<see cref="TaskWorkerOptions.KeepLogs"/>). A host has it from
/// <c>AddErrand</c>; elsewhere add it to the logger factory: <c>LoggerFactory.Create(logging => logging.AddProvider(new TaskLogProvider()))</c>.
/// </summary>
/// <remarks>
/// Filters apply to it as to every provider; its alias is <c>Errand</c>. A logging library that replaces the factory must be told to pass
/// entries on to providers. Outside attempts it does nothing.
/// </remarks>
[ProviderAlias("Errand")]
public sealed class TaskLogProvider : ILoggerProvider
{
    /// <summary>Makes the logger of a category.</summary>
    /// <param name="categoryName">The category; it stands in each line.</param>
    public ILogger CreateLogger(string categoryName) => new AttemptLogger(categoryName);

    /// <summary>Does nothing: there is nothing to release.</summary>
    public void Dispose()
    {
    }

    private sealed class AttemptLogger(string category) : ILogger
    {
        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => AttemptLog.Current?.Keeps(logLevel) == true;

        public void Log<TState>(
            LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            ArgumentNullException.ThrowIfNull(formatter);
            if (AttemptLog.Current is { } log && log.Keeps(logLevel))
            {
                log.Add(logLevel, category, formatter(state, exception), exception);
            }
        }
    }
}
