namespace Errand.Sqlite.Reserve;

/// <summary>
/// The queues of a pattern that have tasks ready. Each look begins after the queue that was served last, and goes only as
/// far as it must: a turn does not read all of thousands of queues.
/// </summary>
internal sealed class ReadyQueues(QueueSubscription pattern)
{
    /// <summary>Hops in the index that one look takes at most.</summary>
    private const int HopsInLook = 500;

    private readonly List<long> _matching = []; // The numbers of all names that match, in order.
    private long _lastName; // Names up to this number have been compared.
    private long _first; // Where the next look begins.

    private QueueRound _round = new(); // Of the look that is under way, as the next.
    private int _hops;

    /// <summary>Whether the look has ended before it had seen every queue.</summary>
    internal bool IsCut => _hops > HopsInLook;

    // language=sqlite
    private const string SelectNewNamesSql = "select id, text from errand_names where id > @last order by id";

    /// <summary>Begins a look, or continues the round of one that was cut.</summary>
    internal void Begin(Turn turn, QueueRound round)
    {
        var names = turn.Statement(SelectNewNamesSql).With(_lastName);
        while (names.Step())
        {
            _lastName = names.Int64(0);
            if (pattern.Matches(names.Text(1)))
            {
                _matching.Add(_lastName);
            }
        }

        _hops = 0;
        _round = round;
        if (!round.IsUnderWay)
        {
            round.Begin(_first);
        }
    }

    // language=sqlite
    private const string NextReadyQueueSql = "select queue from errand_tasks where state = 10 and queue >= @queue order by queue limit 1";

    /// <summary>The first queue from <paramref name="from"/> on that has tasks ready; null for none.</summary>
    internal static long? NextQueue(Turn turn, long from) => turn.Statement(NextReadyQueueSql).With(from).Scalar();

    /// <summary>The next queue; null when all have been seen, or the look was long enough.</summary>
    internal long? Next(Turn turn)
    {
        while (++_hops <= HopsInLook)
        {
            var ready = NextMatching(_round.Place) is { } matching && matching < _round.End
                ? NextQueue(turn, matching)
                : null;
            if (ready is not { } queue || queue >= _round.End)
            {
                if (!_round.TryWrap())
                {
                    return null;
                }
            }
            else if (NextMatching(queue) == queue)
            {
                _round.Continue(queue + 1);
                return queue;
            }
            else
            {
                _round.Continue(queue);
            }
        }

        _first = _round.Place; // Another round begins here.
        return null;
    }

    /// <summary>Tasks were taken from a queue: it is the others' turn.</summary>
    internal void NoteServed(long queue) => _first = queue + 1;

    private long? NextMatching(long from)
    {
        var place = _matching.BinarySearch(from);
        place = place < 0 ? ~place : place;
        return place < _matching.Count ? _matching[place] : null;
    }
}
