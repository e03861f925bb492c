using System.Data.Common;

namespace Errand.Testing;

/// <summary>
/// What was enqueued and completed in transactions of the caller's that have not ended: the store of a test is in another database, and
/// gets it after the commit. Looks before each use of the store.
/// </summary>
internal sealed class UncommittedTasks : IDisposable
{
    private readonly SemaphoreSlim _turn = new(1); // Over the list, and the order of what is carried out.
    private readonly List<(CommitWitness Witness, NewTask? Task, Func<ValueTask> CarryOutAsync)> _held = [];
    private volatile bool _isEmpty = true;

    /// <summary>Holds what is done in the caller's transaction: each task with its id, and how the store does it after the commit.</summary>
    internal async ValueTask HoldAsync(
        DbTransaction transaction, IReadOnlyList<(NewTask? Task, Func<ValueTask> CarryOutAsync)> tasks, CancellationToken cancellationToken)
    {
        var witness = await CommitWitness.OfAsync(transaction, cancellationToken).ConfigureAwait(false);
        await _turn.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            _held.AddRange(tasks.Select(one => (witness, one.Task, one.CarryOutAsync)));
            _isEmpty = false;
        }
        finally
        {
            _turn.Release();
        }
    }

    /// <summary>The task with this id, or that of this name and unique key, if it is held.</summary>
    internal async ValueTask<NewTask?> FindAsync(NewTask task, CancellationToken cancellationToken)
    {
        await _turn.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            return _held.Select(one => one.Task).FirstOrDefault(
                one => one is not null
                    && (one.Id == task.Id || (task.UniqueKey is not null && one.UniqueKey == task.UniqueKey && one.Name == task.Name)));
        }
        finally
        {
            _turn.Release();
        }
    }

    /// <summary>Carries out what is committed, and drops what is rolled back.</summary>
    internal async ValueTask LookAsync()
    {
        if (_isEmpty)
        {
            return;
        }

        await _turn.WaitAsync().ConfigureAwait(false);
        try
        {
            for (var i = 0; i < _held.Count;)
            {
                var (witness, _, carryOutAsync) = _held[i];
                if (await witness.IsCommittedAsync().ConfigureAwait(false) is not { } isCommitted)
                {
                    i++;
                    continue;
                }

                _held.RemoveAt(i);
                if (isCommitted)
                {
                    await carryOutAsync().ConfigureAwait(false);
                }
            }

            _isEmpty = _held.Count == 0;
        }
        finally
        {
            _turn.Release();
        }
    }

    public void Dispose() => _turn.Dispose();
}
