using Errand.Sqlite.Diagnostics;
using Errand.Sqlite.Engine;
using Telemetry = Errand.Diagnostics.Telemetry;

namespace Errand.Sqlite;

/// <summary>The writer thread: what it waits for, and what it does in one turn.</summary>
public sealed partial class SqliteBackend
{
    // From here on, every field is the writer thread's alone.
    private readonly List<Operation> _arrived = [];
    private readonly List<Operation>[] _parts = [[], [], [], []];
    private readonly List<Action> _reports = []; // What is logged of this turn, once it has been committed.
    private readonly InternedNames _names = new();
    private readonly TaskIds _ids = new();
    private SqliteDatabase? _database;
    private ITimer? _alarm;
    private TaskCompletionSource? _closed;
    private long _now; // The wall clock of this turn, ms UTC.

    private SqliteDatabase Database => _database ?? throw new InvalidOperationException("The turn has not opened the database.");

    private void Write()
    {
        while (_closed is null)
        {
            _arrived.Clear();
            try
            {
                _inbox.TakeAll(_arrived, TimeToWait());
                TakeTurn();
            }
            catch (Exception e)
            {
                // A fault of ours. No caller may wait for ever because of it, and the thread must live on.
                FailAll(new BackendException($"{_store.Name}: the writer failed, which is a fault in Errand.", false, e));
                Log.WriterFault(_logger, e);
            }
        }

        Close(_closed);
    }

    /// <summary>
    /// One turn: everything that has arrived, in one transaction. When that fails, each operation alone, so that none suffers
    /// for another.
    /// </summary>
    private void TakeTurn()
    {
        Sort();
        _upkeepFailed = false;
        var settles = Part(TurnPart.Settle);
        var enqueues = Part(TurnPart.Enqueue);
        RunAll(Part(TurnPart.Note));
        try
        {
            Open();
            _now = _time.GetUtcNow().ToUnixTimeMilliseconds();
            AddUpkeep(settles);
            TakeIds(enqueues);
        }
        catch (BackendException e)
        {
            FailAll(e);
            return;
        }

        try
        {
            Transact(settles, enqueues, fill: true);
        }
        catch (BackendBusyException e)
        {
            FailAll(e); // Each alone would only wait as long again.
            return;
        }
        catch (BackendException e)
        {
            AfterFailure(e);
            EachAlone([.. settles, .. enqueues]);
            FillAlone();
        }

        foreach (var read in Part(TurnPart.Read))
        {
            RunRead(read);
        }

        FinishUpkeep();
    }

    private List<Operation> Part(TurnPart part) => _parts[(int)part];

    private void Sort()
    {
        foreach (var part in _parts)
        {
            part.Clear();
        }

        foreach (var operation in _arrived)
        {
            Part(operation.Part).Add(operation);
        }
    }

    private void Open()
    {
        if (_database is null)
        {
            _database = _store.Open();
            _dataVersion = -1;
            _commitsAreSynced = false;
            _readyVersion++;
            _nextDue = 0;
            _nextExpiry = 0;
            _pausedAreKnown = false;
            WarnOfLibrary();
        }

        EmptyDoubtfulLog();
    }

    private void Transact(List<Operation> settles, List<Operation> enqueues, bool fill)
    {
        if (settles.Count + enqueues.Count == 0 && !(fill && HasWorkForWaiting))
        {
            return;
        }

        Begin();
        _emptyQueues.Clear();
        try
        {
            ReleaseUndelivered();
            RunAll(settles);
            Promote();
            RunAll(enqueues);
            if (fill)
            {
                Fill();
            }

            if (_nextExpiry == 0)
            {
                LookForExpiry();
            }

            Commit();
        }
        catch
        {
            Rollback();
            throw;
        }

        Telemetry.TurnSize.Record(settles.Count + enqueues.Count);
        CompleteAll(settles);
        CompleteAll(enqueues);
        _undelivered.Clear();
        DeliverReserved();
        TellWaiters();
        WakeStrangers();
    }

    private void EachAlone(List<Operation> operations)
    {
        foreach (var operation in operations)
        {
            try
            {
                Open();
                Transact([operation], [], fill: false);
            }
            catch (BackendException e)
            {
                AfterFailure(e);
                operation.Fail(e);
            }
        }
    }

    private void FillAlone()
    {
        try
        {
            Open();
            Transact([], [], fill: true);
        }
        catch (BackendException e)
        {
            AfterFailure(e);
            FailWaiting(e);
        }
    }

    private void RunRead(Operation read)
    {
        try
        {
            Open();
            read.Run();
            read.Complete();
        }
        catch (TaskNotFoundException e)
        {
            read.Fail(e);
        }
        catch (BackendException e)
        {
            AfterFailure(e);
            read.Fail(e);
        }
    }

    private static void RunAll(List<Operation> operations)
    {
        foreach (var operation in operations)
        {
            operation.Run();
        }
    }

    private static void CompleteAll(List<Operation> operations)
    {
        foreach (var operation in operations)
        {
            operation.Complete();
        }
    }

    private void FailAll(BackendException exception)
    {
        AfterFailure(exception);
        foreach (var operation in _arrived)
        {
            operation.Fail(exception);
        }

        FailWaiting(exception);
    }

    private void Close(TaskCompletionSource closed)
    {
        _inbox.Close(_arrived);
        var disposed = new ObjectDisposedException(nameof(SqliteBackend));
        foreach (var operation in _arrived)
        {
            operation.Fail(disposed);
        }

        EndWaits(disposed);
        foreach (var worker in _workers.Values)
        {
            worker.Dispose();
        }

        _alarm?.Dispose();
        CloseConnections();
        closed.SetResult();
    }
}
