using Errand.PostgreSql.Engine;

namespace Errand.PostgreSql;

/// <summary>
/// What a caller's open transaction holds: a task that it has completed and not committed, or an id that it has enqueued. A turn
/// waits for such a lock only a moment. Then who asks for it is put aside, looked at now and then, and nobody else waits for him.
/// </summary>
public sealed partial class PostgresBackend
{
    private static readonly TimeSpan HeldPause = TimeSpan.FromMilliseconds(50);

    /// <summary>Ids that were held, remembered at most.</summary>
    private const int MostHeldIds = 1_000;

    private readonly List<HeldUp> _held = [];
    private readonly HashSet<long> _heldIds = []; // And, as complements, the locks of keys: found held when last looked at: who asks for one of them is looked at first.
    private long _lastLook; // At what is held.

    // language=postgresql
    private const string LimitWaitSql = "select set_config('lock_timeout', @limit, true)";

    /// <summary>Behind a pooler, for this transaction alone: a session's settings would be another client's as well.</summary>
    private void LimitWait(TurnBatch batch)
    {
        if (_isPooled)
        {
            batch.Precede(LimitWaitSql, "limit", PostgresStore.LockTimeout);
        }
    }

    // A row that cannot be locked at once is held. language=postgresql
    private const string HeldTasksSql = """
        with free as materialized (
            select id
            from   errand.tasks
            where  id = any(@ids)
            for update skip locked
        )
        select id
        from   errand.tasks
        where  id = any(@ids) and not (id = any(array(select id from free)))
        """;

    // language=postgresql
    private const string HeldIdsSql = """
        select id
        from   unnest(@ids) as id
        where  not pg_try_advisory_xact_lock(hashtextextended(@scope || id, 0))
        """;

    /// <summary>Which of these ids somebody else holds now, as tasks or to enqueue them. Waits for nobody.</summary>
    private async Task<HashSet<long>> LookWhatIsHeldAsync(List<Operation> operations)
    {
        _lastLook = _time.GetTimestamp();
        HashSet<long> held = [];
        long[] tasks = [.. operations.Select(one => one.Task).OfType<long>()];
        long[] ids = [.. operations.OfType<EnqueueOperation>().SelectMany(one => one.LockedIds)];
        long[] keys = [.. operations.OfType<EnqueueOperation>().SelectMany(one => one.LockedKeys)];
        await RunAloneAsync(batch =>
        {
            held.Clear();
            if (tasks.Length > 0)
            {
                batch.Add(HeldTasksSql, row => held.Add(row.GetInt64(0))).With("ids", tasks);
            }

            if (ids.Length > 0)
            {
                batch.Add(HeldIdsSql, row => held.Add(row.GetInt64(0))).With("ids", ids).With("scope", IdScope);
            }

            if (keys.Length > 0)
            {
                batch.Add(HeldIdsSql, row => held.Add(~row.GetInt64(0))).With("ids", keys).With("scope", KeyScope);
            }
        }).ConfigureAwait(false);
        return held;
    }

    /// <summary>A turn has waited for a lock in vain: whom it waited for leaves it.</summary>
    private async Task PutHeldAsideAsync(List<Operation> settles, List<Operation> enqueues)
    {
        var held = await LookWhatIsHeldAsync([.. settles, .. enqueues]).ConfigureAwait(false);
        if (_heldIds.Count > MostHeldIds)
        {
            _heldIds.Clear();
        }

        _heldIds.UnionWith(held);
        PutAside(settles);
        PutAside(enqueues);
    }

    private void PutAside(List<Operation> part)
    {
        if (_heldIds.Count == 0)
        {
            return;
        }

        foreach (var operation in part.Where(one => one.Asks(_heldIds)).ToArray())
        {
            part.Remove(operation);
            _arrived.Remove(operation);
            _held.Add(new HeldUp(operation, TimeProvider.System.GetTimestamp()));
        }
    }

    /// <summary>Before a turn: who asks for what was held is put aside, and who is aside and need not be comes back.</summary>
    private async Task TakeHeldAsync(List<Operation> settles, List<Operation> enqueues)
    {
        PutAside(settles);
        PutAside(enqueues);
        if (_held.Count == 0 || !Passed(_time.GetElapsedTime(_lastLook), HeldPause))
        {
            return;
        }

        _heldIds.Clear();
        _heldIds.UnionWith(await LookWhatIsHeldAsync(_held.ConvertAll(one => one.Operation)).ConfigureAwait(false));
        foreach (var (operation, since) in _held.ToArray())
        {
            if (!operation.Asks(_heldIds))
            {
                _held.RemoveAll(one => one.Operation == operation);
                _arrived.Add(operation);
                (operation.Part == TurnPart.Settle ? settles : enqueues).Add(operation);
            }
            else if (TimeProvider.System.GetElapsedTime(since) >= _options.BusyTimeout)
            {
                _held.RemoveAll(one => one.Operation == operation);
                operation.Fail(new BackendBusyException(
                    $"{_store.Name}: an open transaction holds the task: it has completed it, or enqueued its id, and was not committed "
                    + $"or rolled back within {_options.BusyTimeout}. Nothing was changed; try again."));
            }
        }
    }

    private void FailHeld(Exception exception)
    {
        _held.ForEach(one => one.Operation.Fail(exception));
        _held.Clear();
    }

    private readonly record struct HeldUp(Operation Operation, long Since);
}
