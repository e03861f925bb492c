namespace Errand.PostgreSql.Reserve;

/// <summary>
/// Turns whose answer was lost may have started tasks for workers that never heard of them. The next turn gives those
/// back, and does not charge the attempt.
/// </summary>
internal sealed class Undelivered(WaitingWorkers<Turn, Waiting> waiting) : Part<Turn>
{
    private readonly List<(long Turn, long Owner)> _undelivered = [];
    private long _turn; // The last that began.

    internal override Moments Hears => Moments.Doubted | Moments.Began;

    /// <summary>Comes before the workers forget what they have asked for.</summary>
    internal override void Doubted(Doubt why)
    {
        if (why == Doubt.OutcomeUnknown)
        {
            foreach (var worker in waiting)
            {
                if (worker.MayBeGiven)
                {
                    _undelivered.Add((_turn, worker.Owner));
                }
            }
        }
    }

    // language=postgresql
    private const string ReleaseTurnSql = """
        update errand.errand_tasks t
        set    state = 10, owner = 0, attempt = t.attempt - 1
        from   unnest(@turns, @owners) as s (turn, owner)
        where  t.state = 12 and t.owner = s.owner and t.turn = s.turn and t.cancelled is null
        returning t.id
        """;

    internal override void Began(Turn turn)
    {
        _turn = turn.Number;
        if (_undelivered.Count == 0)
        {
            return;
        }

        (long Turn, long Owner)[] released = [.. _undelivered];
        turn.WaitAgain(ReleaseTurnSql, static _ => { })
            .With("turns", Array.ConvertAll(released, one => one.Turn))
            .With("owners", Array.ConvertAll(released, one => one.Owner));
        turn.Ready();
        turn.Effects.AfterCommit(() => _undelivered.RemoveAll(released.Contains));
    }
}
