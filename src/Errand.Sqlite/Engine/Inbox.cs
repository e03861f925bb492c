namespace Errand.Sqlite.Engine;

/// <summary>
/// Where callers leave operations for the writer thread: a lock-free stack, turned around when it is taken.
/// </summary>
[System.Diagnostics.CodeAnalysis.SuppressMessage(
    "Design", "CA1001:Types that own disposable fields should be disposable",
    Justification = "The event has no handle unless WaitHandle is asked for, and late callers may still ring it.")]
internal sealed class Inbox : IInbox<Turn>
{
    private static readonly Operation<Turn> Closed = new ClosedMark();

    private readonly ManualResetEventSlim _filled = new();
    private Operation<Turn>? _top; // Pushed by callers, taken whole by the writer.
    private Action? _start; // Set once, before the first caller.
    private volatile bool _isStarted; // Written by the first callers, read by all.

    internal static ObjectDisposedException Disposed => new("Errand.Sqlite.SqliteBackend");

    /// <summary>Says how the writer is started when the first caller comes; it may be called more than once.</summary>
    internal void StartWith(Action start) => _start = start;

    public void Submit(Operation<Turn> operation)
    {
        if (!_isStarted)
        {
            _start?.Invoke();
            _isStarted = true;
        }

        if (!TryAdd(operation))
        {
            throw Disposed;
        }
    }

    public bool TryAdd(Operation<Turn> operation)
    {
        while (true)
        {
            var top = Volatile.Read(ref _top);
            if (top == Closed)
            {
                return false;
            }

            operation.Link(top);
            if (Interlocked.CompareExchange(ref _top, operation, top) == top)
            {
                if (top is null)
                {
                    _filled.Set();
                }

                return true;
            }
        }
    }

    /// <summary>Wakes the writer without leaving anything.</summary>
    internal void Ring() => _filled.Set();

    /// <summary>Nothing waits to be taken.</summary>
    internal bool IsEmpty => Volatile.Read(ref _top) is null;

    /// <summary>Waits until there is something, or the bell is rung, or the time has passed.</summary>
    internal void Wait(TimeSpan wait)
    {
        if (IsEmpty && wait != TimeSpan.Zero)
        {
            _filled.Wait(wait);
        }

        _filled.Reset(); // Before anything is taken: what comes later sets it again.
    }

    /// <summary>Takes all that is there, oldest first, into <paramref name="operations"/>.</summary>
    internal void TakeAll(List<Operation<Turn>> operations) => Turn(Interlocked.Exchange(ref _top, null), operations);

    /// <summary>Closes the inbox forever, and takes what was left in it.</summary>
    internal void Close(List<Operation<Turn>> operations) => Turn(Interlocked.Exchange(ref _top, Closed), operations);

    private static void Turn(Operation<Turn>? newest, List<Operation<Turn>> operations)
    {
        var first = operations.Count;
        for (var operation = newest; operation is not null;)
        {
            operations.Add(operation);
            var next = operation.Next;
            operation.Link(null); // A worker that waits for minutes must not keep alive what came before it.
            operation = next;
        }

        operations.Reverse(first, operations.Count - first);
    }

    private sealed class ClosedMark : Note<Turn>;
}
