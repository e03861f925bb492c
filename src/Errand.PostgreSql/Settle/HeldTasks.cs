namespace Errand.PostgreSql.Settle;

/// <summary>
/// What a caller's open transaction holds: a task that it has completed and not committed, or an id that it has
/// enqueued. A turn waits for such a lock only a moment. Then the operations that need it are put aside and looked at
/// now and then, and nobody else waits for that transaction.
/// </summary>
internal sealed class HeldTasks(
    PostgresStore store, PostgresBackendOptions options, Sessions sessions, IdLocks locks, TimeProvider time)
    : Part<Turn>
{
    private static readonly TimeSpan LookPause = TimeSpan.FromMilliseconds(50);

    /// <summary>Ids that were held, remembered at most.</summary>
    private const int MostHeldIds = 1_000;

    private readonly List<HeldUp> _aside = [];

    // Found held when last looked at: an operation that needs one of them is put aside at once.
    private readonly HeldLocks _held = new();
    private long _lastLook;

    internal override Moments Hears => Moments.Plan;

    internal override bool WorksOutdated => true;

    internal IEnumerable<Operation<Turn>> Operations => _aside.Select(one => one.Operation);

    internal override void Plan(Agenda agenda)
    {
        if (_aside.Count > 0)
        {
            agenda.Every(LookPause, _lastLook);
        }
    }

    // language=postgresql
    private const string LimitWaitSql = $"{PostgresStore.LocalPlannerSql}, set_config('lock_timeout', @limit, true)";

    /// <summary>
    /// Behind a pooler, for this transaction alone: a session's settings would apply to other clients too.
    /// </summary>
    internal static void LimitWait(Turn turn)
    {
        if (turn.Session.IsPooled)
        {
            turn.Batch.Precede(LimitWaitSql, "limit", PostgresStore.LockTimeout);
        }
    }

    // A row that cannot be locked at once is held. language=postgresql
    private const string HeldTasksSql = """
        with free as materialized (
            select id
            from   errand.errand_tasks
            where  id = any(@ids)
            for update skip locked
        )
        select id
        from   errand.errand_tasks
        where  id = any(@ids) and not (id = any(array(select id from free)))
        """;

    // language=postgresql
    private const string HeldIdsSql = """
        select id
        from   unnest(@ids) as id
        where  not pg_try_advisory_xact_lock(hashtextextended(@scope || id, 0))
        """;

    /// <summary>What somebody else holds now of what these need. Waits for nobody.</summary>
    private async Task<HeldLocks> LookAsync(IEnumerable<Operation<Turn>> operations)
    {
        _lastLook = time.GetTimestamp();
        var held = new HeldLocks();
        var needing = operations.OfType<ILocksTasks>().ToArray();
        long[] tasks = [.. needing.SelectMany(one => one.LockedTasks)];
        long[] ids = [.. needing.SelectMany(one => one.LockedIds).Distinct()];
        long[] keys = [.. needing.SelectMany(one => one.LockedKeys).Distinct()];
        await sessions.RunAloneAsync((_, batch) =>
        {
            held.Clear();
            if (tasks.Length > 0)
            {
                batch.Add(HeldTasksSql, row => held.Tasks.Add(row.GetInt64(0))).With("ids", tasks);
            }

            if (ids.Length > 0)
            {
                batch.Add(HeldIdsSql, row => held.Ids.Add(row.GetInt64(0)))
                    .With("ids", ids).With("scope", locks.IdScope);
            }

            if (keys.Length > 0)
            {
                batch.Add(HeldIdsSql, row => held.Keys.Add(row.GetInt64(0)))
                    .With("ids", keys).With("scope", locks.KeyScope);
            }
        }).ConfigureAwait(false);
        return held;
    }

    /// <summary>A turn has waited for a lock in vain: the operations that need it leave the turn.</summary>
    internal async Task PutAsideAsync(
        List<Operation<Turn>> settles, List<Operation<Turn>> enqueues, List<Operation<Turn>> arrived)
    {
        var held = await LookAsync(settles.Concat(enqueues)).ConfigureAwait(false);
        if (_held.Count > MostHeldIds)
        {
            _held.Clear();
        }

        _held.UnionWith(held);
        PutAside(settles, arrived);
        PutAside(enqueues, arrived);
    }

    private void PutAside(List<Operation<Turn>> stage, List<Operation<Turn>> arrived)
    {
        if (_held.Count == 0)
        {
            return;
        }

        foreach (var operation in stage.Where(one => NeedOf(one, _held) is not null).ToArray())
        {
            stage.Remove(operation);
            arrived.Remove(operation);
            _aside.Add(new HeldUp(operation, TimeProvider.System.GetTimestamp()));
        }
    }

    private static HeldKind? NeedOf(Operation<Turn> operation, HeldLocks held) =>
        (operation as ILocksTasks)?.Needs(held);

    /// <summary>
    /// Before a turn: puts aside what needs something that was held, and takes back what need not be aside.
    /// </summary>
    internal async Task TakeBackAsync(
        List<Operation<Turn>> settles, List<Operation<Turn>> enqueues, List<Operation<Turn>> arrived)
    {
        PutAside(settles, arrived);
        PutAside(enqueues, arrived);
        if (_aside.Count == 0 || time.GetElapsedTime(_lastLook) < LookPause)
        {
            return;
        }

        var held = await LookAsync(Operations).ConfigureAwait(false);
        _held.Clear();
        _held.UnionWith(held);
        foreach (var (operation, since) in _aside.ToArray())
        {
            if (NeedOf(operation, _held) is not { } need)
            {
                _aside.RemoveAll(one => one.Operation == operation);
                arrived.Add(operation);
                (operation.Stage == TurnStage.Settle ? settles : enqueues).Add(operation);
            }
            else if (TimeProvider.System.GetElapsedTime(since) >= options.BusyTimeout)
            {
                _aside.RemoveAll(one => one.Operation == operation);
                operation.Fail(new BackendBusyException($"{store.Name}: {TextOf(need)} "
                    + $"and was not committed or rolled back within {options.BusyTimeout}. Nothing was changed; try again."));
            }
        }
    }

    private static string TextOf(HeldKind need) => need switch
    {
        HeldKind.Task => "an open transaction holds the task, for instance because it has completed it,",
        HeldKind.Id => "an open transaction has enqueued the id, or another id that shares its lock,",
        _ => "an open transaction has enqueued the unique key, or another key that shares its lock,",
    };

    internal void FailAll(Exception exception)
    {
        _aside.ForEach(one => one.Operation.Fail(exception));
        _aside.Clear();
    }

    internal override void Close(Exception disposed) => FailAll(disposed);

    private readonly record struct HeldUp(Operation<Turn> Operation, long Since);
}
