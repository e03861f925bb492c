using Errand.Sqlite.Engine;

namespace Errand.Sqlite;

/// <summary>Other processes on the same file: how their work is noticed, and how they are told of ours.</summary>
public sealed partial class SqliteBackend
{
    /// <summary>The shortest time between two looks, while others are busy.</summary>
    private static readonly TimeSpan ShortestPoll = TimeSpan.FromMilliseconds(1);

    private readonly List<long> _strangers = []; // Workers of other backends, as of the last change that others made.
    private TimeSpan _pollInterval = Defaults.PollInterval; // Short after a change by others, then doubling.
    private long _lastPoll;
    private long _lastWake;
    private bool _wakeOwed; // This backend has made or scheduled tasks that others do not know of yet.

    /// <summary>
    /// Looks whether somebody else has written. Quick while others are busy, and then ever slower: an idle process looks once a
    /// second.
    /// </summary>
    private void Poll()
    {
        _lastPoll = _time.GetTimestamp();
        if (Database.Statement("pragma data_version").Scalar() != _dataVersion)
        {
            _pollInterval = ShortestPoll;
            _readyVersion++; // The turn's begin looks closer.
            _waitersMayBeDone = true;
            _cancelsMayBeThere = true;
        }
        else if (_pollInterval == TimeSpan.Zero)
        {
            _pollInterval = ShortestPoll;
        }
        else
        {
            _pollInterval = _pollInterval * 2 < Defaults.PollInterval ? _pollInterval * 2 : Defaults.PollInterval;
        }
    }

    /// <summary>Inside a transaction: tasks have become ready by what this backend does, for its own workers and for others.</summary>
    private void NoteReady()
    {
        _readyVersion++;
        _wakeOwed = true;
    }

    // language=sqlite
    private const string SelectWorkerIdsSql = "select id from workers";

    /// <summary>Inside a transaction that follows a change by others: who they are, for <see cref="WakeStrangers"/>.</summary>
    private void LookWhoIsThere()
    {
        _strangers.Clear();
        var workers = Database.Statement(SelectWorkerIdsSql);
        while (workers.Step())
        {
            if (!_workers.ContainsKey(workers.Int64(0)))
            {
                _strangers.Add(workers.Int64(0));
            }
        }
    }

    /// <summary>
    /// After a commit of ours that made tasks ready, or due later: workers of other processes are woken, at most once in the time
    /// in which one that has been woken looks again by itself.
    /// </summary>
    private void WakeStrangers()
    {
        if (!_wakeOwed || _strangers.Count == 0 || !Passed(_time.GetElapsedTime(_lastWake), ShortestPoll))
        {
            return;
        }

        _wakeOwed = false;
        _lastWake = _time.GetTimestamp();
        foreach (var owner in _strangers)
        {
            WakeSocket.Send(WorkerLockFile.WakePathOf(_store.Path, owner));
        }
    }

    /// <summary>Word from another process: look at once, and for a while more often.</summary>
    private sealed class PollNote(SqliteBackend backend) : Operation
    {
        internal override TurnPart Part => TurnPart.Note;

        internal override void Run() => backend._pollInterval = TimeSpan.Zero;

        internal override void Complete()
        {
        }

        internal override void Fail(Exception exception)
        {
        }
    }
}
