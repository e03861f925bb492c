using Microsoft.Extensions.Logging;

namespace Errand.Sqlite.Reserve;

/// <summary>
/// Parking: a task whose name no live worker knows is put aside, uncharged, so that it blocks no other task and costs
/// no attempt.
/// </summary>
internal sealed class Parking(ILogger logger) : Part<Turn>
{
    internal override Moments Hears => Moments.None;

    // language=sqlite
    private const string AnybodyKnowsSql = "select 1 from errand_worker_names where name = @name limit 1";

    // language=sqlite
    private const string ParkSql = "update errand_tasks set state = 11, parked = 1, due = @due where id = @id";

    internal void Park(Turn turn, List<(long Id, long Name)> tasks)
    {
        var due = turn.Now + (long)Defaults.UnknownNameParking.TotalMilliseconds;
        foreach (var (id, name) in tasks)
        {
            if (turn.Statement(AnybodyKnowsSql).With(name).Scalar() is null)
            {
                turn.WaitAgain(due, turn.Statement(ParkSql).With(due).With(id));
                var text = turn.TextOf(name);
                turn.Effects.Report(() => Log.Parked(logger, id, text, Defaults.UnknownNameParking));
            }
        }
    }

    // language=sqlite
    internal override IReadOnlyList<string> InvariantsSql =>
    [
        """
        select 'Task ' || id || ' is parked (' || parked || '), but not scheduled.'
        from   errand_tasks
        where  parked is not null and (state <> 11 or parked <> 1)
        limit  20
        """,
    ];
}
