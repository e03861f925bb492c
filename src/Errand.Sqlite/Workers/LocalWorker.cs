namespace Errand.Sqlite.Workers;

/// <summary>An incarnation of this backend, with what the system holds for it where the database is a file.</summary>
internal sealed class LocalWorker(long owner, WorkerRegistration registration, WorkerLockFile? lockFile, WakeSocket? wakeSocket)
    : Incarnation(owner, registration), IDisposable
{
    private readonly HashSet<long> _names = []; // The numbers of the task names that it knows.
    private long[]? _inOrder; // The same, sorted; null after a change.

    internal bool Knows(long name) => _names.Contains(name);

    /// <summary>The first number from <paramref name="from"/> on of a name that it knows; null for none.</summary>
    internal long? NextKnown(long from)
    {
        _inOrder ??= [.. _names.Order()];
        var place = Array.BinarySearch(_inOrder, from);
        place = place < 0 ? ~place : place;
        return place < _inOrder.Length ? _inOrder[place] : null;
    }

    /// <summary>It is registered again after a rollback, in which names were given other numbers.</summary>
    internal void ForgetNames()
    {
        _names.Clear();
        _inOrder = null;
    }

    internal void Learn(long name)
    {
        _names.Add(name);
        _inOrder = null;
    }

    public void Dispose()
    {
        wakeSocket?.Dispose();
        lockFile?.Dispose();
    }
}
