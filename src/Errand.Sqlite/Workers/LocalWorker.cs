namespace Errand.Sqlite.Workers;

/// <summary>An incarnation of this backend, with what the system holds for it where the database is a file.</summary>
internal sealed class LocalWorker(long owner, WorkerRegistration registration, WorkerLockFile? lockFile, WakeSocket? wakeSocket)
    : Incarnation(owner, registration), IDisposable
{
    private readonly HashSet<long> _names = []; // The numbers of the task names that it knows.

    internal bool Knows(long name) => _names.Contains(name);

    /// <summary>It is registered anew after a rollback, in which names were given other numbers.</summary>
    internal void ForgetNames() => _names.Clear();

    internal void Learn(long name) => _names.Add(name);

    public void Dispose()
    {
        wakeSocket?.Dispose();
        lockFile?.Dispose();
    }
}
