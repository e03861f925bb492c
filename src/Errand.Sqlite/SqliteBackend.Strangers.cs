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
    private long _wokenFor; // The version of what is ready that the others were last woken for.

    /// <summary>
    /// Looks whether somebody else has written. Quick while others are busy, and then ever slower: an idle process looks once a
    /// second, and costs nothing that can be measured.
    /// </summary>
    private void Poll()
    {
        _lastPoll = _time.GetTimestamp();
        if (Database.Statement("pragma data_version").Scalar() != _dataVersion)
        {
            _pollInterval = ShortestPoll;
            _readyVersion++; // The turn's begin looks closer.
            _waitersMayBeDone = true;
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
    /// After a commit that may have made tasks ready: workers of other processes are woken, at most once in the time in which one
    /// that has been woken looks again by itself.
    /// </summary>
    private void WakeStrangers()
    {
        if (_strangers.Count == 0 || _wokenFor == _readyVersion || !Passed(_time.GetElapsedTime(_lastWake), ShortestPoll))
        {
            return;
        }

        _wokenFor = _readyVersion;
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
