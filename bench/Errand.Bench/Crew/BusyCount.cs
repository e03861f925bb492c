using Microsoft.Extensions.Logging;

namespace Errand.Bench.Crew;

/// <summary>Counts what gave up on a busy file: calls, and writes that a worker reports and tries again.</summary>
internal sealed class BusyCount : ILogger<TaskWorker>
{
    private int _count; // Written by callers and by the worker's threads.

    internal int Count => Volatile.Read(ref _count);

    internal void Add() => Interlocked.Increment(ref _count);

    public void Log<TState>(
        LogLevel logLevel, EventId eventId, TState state, Exception? exception,
        Func<TState, Exception?, string> formatter)
    {
        if (exception is BackendBusyException)
        {
            Add();
        }
    }

    public bool IsEnabled(LogLevel logLevel) => true;

    public IDisposable? BeginScope<TState>(TState state)
        where TState : notnull => null;
}
