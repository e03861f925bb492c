using System.Collections.Concurrent;

namespace Errand.Sqlite.Engine;

/// <summary>
/// Reads for callers and operators, on connections of their own that never write: none waits for the writer, nor for
/// whoever holds the file. A database in memory has one connection, and its reads are the writer's.
/// </summary>
internal sealed class Readers(SqliteStore store, SqliteBackendOptions options, PartList<Turn> parts, IInbox<Turn> inbox) : IAsyncDisposable
{
    /// <summary>Reads that run at the same time.</summary>
    private const int Connections = 2;

    private readonly SemaphoreSlim _free = new(Connections, Connections);
    private readonly ConcurrentBag<Reader> _idle = []; // Opened when they are first needed.
    private volatile bool _isDisposed; // Written once, by dispose.

    /// <summary>Runs a read. It sees everything that was committed before the call.</summary>
    internal async ValueTask<T> ReadAsync<T>(Operation<Turn, T> read, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        ThrowIfDisposed();
        if (store.IsMemory)
        {
            return await inbox.SubmitAsync(read, cancellationToken).ConfigureAwait(false);
        }

        if (store.FileName is null)
        {
            await inbox.SubmitAsync(new OpenOperation(), cancellationToken).ConfigureAwait(false);
        }

        await _free.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            ThrowIfDisposed();
            await Task.Run(() => Run(read), CancellationToken.None).ConfigureAwait(false);
        }
        finally
        {
            _free.Release();
        }

        return read.TakeResult();
    }

    /// <summary>Waits for the reads that run, and closes the connections. Idempotent.</summary>
    public async ValueTask DisposeAsync()
    {
        _isDisposed = true;
        for (var i = 0; i < Connections; i++)
        {
            await _free.WaitAsync().ConfigureAwait(false);
        }

        while (_idle.TryTake(out var reader))
        {
            reader.Dispose();
        }

        _free.Release(Connections); // A caller that came at the last moment finds it disposed.
    }

    private void ThrowIfDisposed()
    {
        if (_isDisposed)
        {
            throw Inbox.Disposed;
        }
    }

    private void Run(Operation<Turn> read)
    {
        var patience = new BusyPatience(options, new Random()); // Another process may be recovering the log at this moment.
        while (!TryRun(read, patience))
        {
        }
    }

    private bool TryRun(Operation<Turn> read, BusyPatience patience)
    {
        var reader = _idle.TryTake(out var idle) ? idle : null;
        try
        {
            reader ??= new Reader(store.OpenForReads());
            reader.Run(store, read, options.TimeProvider, parts);
            _idle.Add(reader);
            return true;
        }
        catch (BackendBusyException) when (patience.Wait())
        {
            reader?.Dispose();
            return false;
        }
        catch (Exception e)
        {
            reader?.Dispose(); // Whatever it was in the middle of.
            throw e as BackendException ?? new BackendException($"{store.Name}: a read failed, which is a fault in Errand.", false, e);
        }
    }

    /// <summary>A connection, and the names that it has met.</summary>
    private sealed class Reader(SqliteDatabase database) : IDisposable
    {
        private readonly InternedNames _names = new();
        private readonly TaskIds _ids = new(); // None: nothing is enqueued here.

        internal void Run(SqliteStore store, Operation<Turn> read, TimeProvider time, PartList<Turn> parts)
        {
            store.CheckIsThere(database);
            if (database.HasChanged)
            {
                store.Schema.CheckReadable(database);
                database.NoteChange();
                if (_names.HaveGone(database))
                {
                    _names.Forget();
                }
            }

            read.Run(new Turn(database, _names, _ids, parts, time.GetUtcNow().ToUnixTimeMilliseconds()));
        }

        public void Dispose() => database.Dispose();
    }

    /// <summary>Succeeds when the writer has opened the database, and made its tables where there were none.</summary>
    private sealed class OpenOperation : Operation<Turn, bool>
    {
        internal override TurnStage Stage => TurnStage.Read;

        internal override void Run(Turn turn) => Result = true;
    }
}
