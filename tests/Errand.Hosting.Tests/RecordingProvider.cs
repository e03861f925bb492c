using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;

namespace Errand.Hosting.Tests;

/// <summary>Keeps what a host logs, with the scopes that it was logged in.</summary>
[ProviderAlias("Recording")]
public sealed class RecordingProvider : ILoggerProvider, ISupportExternalScope
{
    private IExternalScopeProvider _scopes = new LoggerExternalScopeProvider();

    public ConcurrentQueue<Entry> Entries { get; } = new();

    public ILogger CreateLogger(string categoryName) => new Logger(this, categoryName);

    public void SetScopeProvider(IExternalScopeProvider scopeProvider) => _scopes = scopeProvider;

    public void Dispose()
    {
    }

    public sealed record Entry(string Category, int Id, string Text, IReadOnlyDictionary<string, object?> Scope);

    private sealed class Logger(RecordingProvider provider, string category) : ILogger
    {
        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => provider._scopes.Push(state);

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(
            LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            var scope = new Dictionary<string, object?>();
            provider._scopes.ForEachScope(
                (one, all) =>
                {
                    foreach (var (name, value) in one as IEnumerable<KeyValuePair<string, object?>> ?? [])
                    {
                        all[name] = value;
                    }
                },
                scope);
            provider.Entries.Enqueue(new Entry(category, eventId.Id, formatter(state, exception), scope));
        }
    }
}
