using System.Threading.Channels;

namespace Errand.PostgreSql.Engine;

/// <summary>Where callers leave operations. Thread-safe; one writer takes them.</summary>
internal sealed class Inbox : IInbox<Turn>
{
    private readonly Channel<Operation<Turn>> _operations =
        Channel.CreateUnbounded<Operation<Turn>>(new() { SingleReader = true });

    private Action? _start; // Set once, before the backend is used.

    /// <summary>What callers of a disposed backend are told.</summary>
    internal static ObjectDisposedException Disposed() => new("Errand.PostgreSql.PostgresBackend");

    /// <summary>Names the writer, which is started by the first operation.</summary>
    internal void ServeBy(Action start) => _start = start;

    public void Submit(Operation<Turn> operation)
    {
        _start?.Invoke();
        if (!TryAdd(operation))
        {
            throw Disposed();
        }
    }

    public bool TryAdd(Operation<Turn> operation) => _operations.Writer.TryWrite(operation);

    /// <summary>Returns when there is an operation.</summary>
    internal async ValueTask WaitAsync() => await _operations.Reader.WaitToReadAsync().ConfigureAwait(false);

    internal bool TryTake([System.Diagnostics.CodeAnalysis.NotNullWhen(true)] out Operation<Turn>? operation) =>
        _operations.Reader.TryRead(out operation);

    /// <summary>Takes nothing more.</summary>
    internal void Close() => _operations.Writer.TryComplete();
}
