using Microsoft.Extensions.Logging;

namespace Errand.Diagnostics;

/// <summary>A logger that fails must not take a task or a worker with it: what it throws is dropped.</summary>
internal sealed class QuietLogger(ILogger logger) : ILogger
{
    public IDisposable? BeginScope<TState>(TState state)
        where TState : notnull
    {
        try
        {
            return logger.BeginScope(state) is { } scope ? new QuietScope(scope) : null;
        }
        catch (Exception)
        {
            return null; // There is nowhere to report that reporting failed.
        }
    }

    public bool IsEnabled(LogLevel logLevel)
    {
        try
        {
            return logger.IsEnabled(logLevel);
        }
        catch (Exception)
        {
            return false; // There is nowhere to report that reporting failed.
        }
    }

    public void Log<TState>(
        LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
    {
        try
        {
            logger.Log(logLevel, eventId, state, exception, formatter);
        }
        catch (Exception)
        {
            // There is nowhere to report that reporting failed.
        }
    }

    private sealed class QuietScope(IDisposable scope) : IDisposable
    {
        public void Dispose() => Quietly.Run(scope, static scope => scope.Dispose());
    }
}
