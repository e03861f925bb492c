namespace Errand.Sqlite.Upkeep;

/// <summary>
/// Retention: finished tasks are removed when their time is over, a little in each turn, with all that is kept of them.
/// </summary>
internal sealed class Retention(RetentionPeriods periods, Vacuum vacuum, TimeProvider time, Func<Part<Turn>[]> withTasks) : Part<Turn>
{
    /// <summary>Finished tasks of one state removed in one turn at most: about a millisecond.</summary>
    private const int PruneBatch = 1_000;

    private static readonly TimeSpan PruneInterval = TimeSpan.FromSeconds(1);

    private readonly UpkeepPace _pace = new(time, PruneInterval);

    internal override Moments Hears => Moments.Plan | Moments.Upkeep;

    internal override void Plan(Agenda agenda) => _pace.Plan(agenda);

    // language=sqlite
    private const string HasPrunableSql = """
        select 1 where exists (select 1 from errand_finished where state = 20 and finished < @succeeded)
                    or exists (select 1 from errand_finished where state = 21 and finished < @failed)
                    or exists (select 1 from errand_finished where state = 22 and finished < @cancelled)
                    or exists (select 1 from errand_finished where state = 23 and finished < @expired)
        """;

    internal override Action<Turn>? Upkeep(Turn reader, long now)
    {
        if (!_pace.IsDue)
        {
            return null;
        }

        if (HasPrunable(reader, now))
        {
            return Prune;
        }

        _pace.Done(goesOn: false);
        vacuum.Look(); // A drained backlog leaves room as well: looked at as often.
        return null;
    }

    private bool HasPrunable(Turn reader, long now)
    {
        var statement = reader.Statement(HasPrunableSql);
        foreach (var state in RetentionPeriods.States)
        {
            statement.With(Before(state, now));
        }

        return statement.Scalar() is not null;
    }

    /// <summary>What has ended before this is removed; before all time where it stays.</summary>
    private long Before(TaskState state, long now) =>
        periods.Of(state) is { } retention ? now - (long)retention.TotalMilliseconds : long.MinValue;

    // language=sqlite
    private const string PruneSql = """
        delete from errand_finished
        where  id in (select id from errand_finished where state = @state and finished < @before order by finished limit @count)
        """;

    private void Prune(Turn turn)
    {
        var goesOn = false;
        foreach (var state in RetentionPeriods.States)
        {
            var before = Before(state, turn.Now);
            foreach (var part in withTasks())
            {
                part.Pruning(turn, state, before, PruneBatch);
            }

            goesOn |= turn.Statement(PruneSql).With((long)state).With(before).With(PruneBatch).Execute() == PruneBatch;
        }

        _pace.Done(goesOn);
    }
}
