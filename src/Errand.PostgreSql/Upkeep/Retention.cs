namespace Errand.PostgreSql.Upkeep;

/// <summary>Removes finished tasks whose time is over, and periods of unique keys, in bounded steps.</summary>
internal sealed class Retention(
    RetentionPeriods periods, UniqueKeys unique, StoreClock clock, TimeProvider time) : Part<Turn>
{
    /// <summary>Finished tasks of one state that are removed in one turn at most.</summary>
    private const int PruneBatch = 1_000;

    private static readonly TimeSpan PruneInterval = TimeSpan.FromSeconds(2);

    private readonly UpkeepPace _pace = new(time, PruneInterval);

    internal override Moments Hears => Moments.Plan | Moments.Upkeep;

    internal override void Plan(Agenda agenda) => _pace.Plan(agenda);

    internal override Action<Turn>? Upkeep(Turn reader, long now) => _pace.IsDue ? Prune : null;

    // language=postgresql
    internal const string PruneSql = """
        with pruned as (
            delete from errand.errand_finished
            where  id = any(array(
                select id
                from   errand.errand_finished
                where  state = @state and finished < (select errand.errand_now_ms(@now)) - @retention
                order by finished
                limit  @count
                for update skip locked))
            returning id
        ),
        attempts as (
            delete from errand.errand_attempts where task = any(array(select id from pruned))
        ),
        progress as (
            delete from errand.errand_progress where task = any(array(select id from pruned))
        ),
        logs as (
            delete from errand.errand_logs where task = any(array(select id from pruned))
        )
        select id
        from   pruned
        """;

    // language=postgresql
    private const string FindNameSql = "select id from errand.errand_names where id = @id and text = @text";

    /// <summary>Somebody may have emptied the tables, as tests do between two cases.</summary>
    private static void CheckNames(Turn turn)
    {
        var names = turn.Session.Names;
        if (names.Last is { } last)
        {
            var isThere = false;
            turn.Add(FindNameSql, _ => isThere = true).With("id", last.Id).With("text", last.Text);
            turn.Effects.AfterCommit(() =>
            {
                if (!isThere)
                {
                    names.ReadAgain();
                }
            });
        }
    }

    private void Prune(Turn turn)
    {
        CheckNames(turn);
        var pruned = 0;
        foreach (var state in RetentionPeriods.States)
        {
            if (periods.Of(state) is { } retention)
            {
                turn.Add(PruneSql, _ => pruned++).With("now", clock.TestNow).With("state", (short)state)
                    .With("retention", (long)retention.TotalMilliseconds).With("count", PruneBatch);
            }
        }

        unique.Prune(turn, PruneBatch, () => pruned++);
        turn.Effects.AfterCommit(() => _pace.Done(goesOn: pruned >= PruneBatch));
    }
}
