namespace Errand.Sqlite.Engine;

/// <summary>Where callers leave operations for the writer thread: a lock-free stack, turned over when it is taken.</summary>
[System.Diagnostics.CodeAnalysis.SuppressMessage(
    "Design", "CA1001:Types that own disposable fields should be disposable",
    Justification = "The event has no handle unless WaitHandle is asked for, and late callers may still ring it.")]
internal sealed class Inbox
{
    private static readonly Operation Closed = new ClosedMark();

    private readonly ManualResetEventSlim _filled = new();
    private Operation? _top; // Pushed by callers, taken whole by the writer.

    /// <summary>Leaves an operation.</summary>
    /// <returns>False when the inbox is closed.</returns>
    internal bool TryAdd(Operation operation)
    {
        while (true)
        {
            var top = Volatile.Read(ref _top);
            if (top == Closed)
            {
                return false;
            }

            operation.Next = top;
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

    /// <summary>Takes all that is there, oldest first, into <paramref name="operations"/>; waits when there is nothing.</summary>
    internal void TakeAll(List<Operation> operations, TimeSpan wait)
    {
        // Reset before looking: what comes later sets it again.
        _filled.Reset();
        Turn(Interlocked.Exchange(ref _top, null), operations);
        if (operations.Count == 0 && wait != TimeSpan.Zero)
        {
            _filled.Wait(wait);
            _filled.Reset();
            Turn(Interlocked.Exchange(ref _top, null), operations);
        }
    }

    /// <summary>Closes the inbox for good, and takes what was left in it.</summary>
    internal void Close(List<Operation> operations) => Turn(Interlocked.Exchange(ref _top, Closed), operations);

    private static void Turn(Operation? newest, List<Operation> operations)
    {
        var first = operations.Count;
        for (var operation = newest; operation is not null; operation = operation.Next)
        {
            operations.Add(operation);
        }

        operations.Reverse(first, operations.Count - first);
    }

    private sealed class ClosedMark : Operation
    {
        internal override TurnPart Part => TurnPart.Read;

        internal override void Run()
        {
        }

        internal override void Complete()
        {
        }

        internal override void Fail(Exception exception)
        {
        }
    }
}
