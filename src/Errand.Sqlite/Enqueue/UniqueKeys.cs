namespace Errand.Sqlite.Enqueue;

/// <summary>
/// Unique keys: one index holds while a task lives, and one table for a time after its enqueue. Both are looked at and
/// written in the transaction that enqueues, and nobody else writes meanwhile.
/// </summary>
internal sealed class UniqueKeys(TimeProvider time) : Part<Turn>
{
    /// <summary>Periods removed in one turn at most.</summary>
    private const int PruneBatch = 1_000;

    private static readonly TimeSpan PruneInterval = TimeSpan.FromSeconds(1);

    private readonly UpkeepPace _prune = new(time, PruneInterval);

    internal override Moments Hears => Moments.Inserted | Moments.Upkeep | Moments.Plan;

    // language=sqlite
    private const string FindHolderSql = """
        select id from errand_tasks where name = @name and unique_key = @key and unique_key is not null
        union all
        select id from errand_unique_periods where name = @name and key = @key and until > @now
        limit  1
        """;

    /// <summary>The task that holds a unique key; null when it is free.</summary>
    internal static long? HolderOf(Turn turn, long name, string key) =>
        turn.Statement(FindHolderSql).With(name).With(key).With(turn.Now).Scalar();

    // language=sqlite
    private const string HasRivalSql = """
        select 1
        from   errand_finished as finished join errand_tasks as live on live.name = finished.name and live.unique_key = finished.unique_key
        where  finished.id = @id and finished.state = 21 and live.unique_key is not null
        """;

    /// <summary>Whether a live task has the unique key of a failed one, which therefore cannot be retried.</summary>
    internal static bool HasRival(Turn turn, long failed) => turn.Statement(HasRivalSql).With(failed).Scalar() is not null;

    // language=sqlite
    private const string HoldSql =
        "insert or replace into errand_unique_periods (name, key, id, until) values (@name, @key, @id, @until)";

    internal override void Inserted(Turn turn, NewTask task, long id, TaskState state, long due)
    {
        if (task is { UniqueKey: { } key, UniqueFor: { } period })
        {
            turn.Statement(HoldSql).With(turn.IdOf(task.Name)).With(key).With(id).With(turn.Now + NewTasks.Milliseconds(period)).Execute();
        }
    }

    internal override void Plan(Agenda agenda) => _prune.Plan(agenda);

    // language=sqlite
    private const string HasPrunableSql = "select 1 from errand_unique_periods where until <= @now limit 1";

    internal override Action<Turn>? Upkeep(Turn reader, long now)
    {
        if (!_prune.IsDue)
        {
            return null;
        }

        if (reader.Statement(HasPrunableSql).With(now).Scalar() is not null)
        {
            return Prune;
        }

        _prune.Done(goesOn: false);
        return null;
    }

    // language=sqlite
    private const string PrunePeriodsSql = """
        delete from errand_unique_periods
        where  (name, key) in (select name, key from errand_unique_periods where until <= @now order by until limit @count)
        """;

    private void Prune(Turn turn) =>
        _prune.Done(goesOn: turn.Statement(PrunePeriodsSql).With(turn.Now).With(PruneBatch).Execute() == PruneBatch);

    internal override IReadOnlyList<string> Tables => ["errand_unique_periods"];

    internal override IReadOnlyList<string> InvariantsSql =>
    [
        """
        select 'The unique key ''' || unique_key || ''' is held by ' || count(*) || ' live tasks, one of them ' || min(id) || '.'
        from   errand_tasks not indexed
        where  unique_key is not null
        group by name, unique_key
        having count(*) > 1
        limit  20
        """,
        """
        select 'A unique key has the name ' || name || ', which is not there.'
        from   errand_unique_periods
        where  name not in (select id from errand_names)
        limit  20
        """,
        """
        select 'Task ' || id || ' holds a unique key until ' || until || ', which is not between the years 1970 and 9999.'
        from   errand_unique_periods
        where  until not between 0 and 253402300799999
        limit  20
        """,
    ];
}
