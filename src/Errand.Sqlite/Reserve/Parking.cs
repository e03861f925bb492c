using Microsoft.Extensions.Logging;

namespace Errand.Sqlite.Reserve;

/// <summary>
/// Parking: a task whose name no live worker knows is put aside, uncharged, and offered again from time to time. A worker
/// that begins takes the tasks that it knows out again. Both happen in bounded steps.
/// </summary>
internal sealed class Parking(ILogger logger) : Part<Turn>
{
    /// <summary>Tasks that one step parks or unparks at most.</summary>
    private const int Step = 250;

    /// <summary>Names that one step looks at, and parked tasks.</summary>
    private const int NamesInStep = 16;
    private const int ParkedInStep = 1_000;
    private const int NamesRemembered = 10_000;

    private readonly HashSet<long> _looked = []; // Queues that this transaction has looked at.
    private readonly Dictionary<long, long> _nextName = []; // Of queues with more names than a step looks at: where the next begins.
    private readonly Dictionary<long, long> _told = []; // When the log was last told of a name.
    private readonly Queue<Unparking> _unparking = new();

    internal override Moments Hears => Moments.Plan | Moments.Began | Moments.HasWork | Moments.Settled;

    internal override void Plan(Agenda agenda)
    {
        if (_unparking.Count > 0)
        {
            agenda.In(TimeSpan.Zero);
        }
    }

    internal override void Began(Turn turn) => _looked.Clear();

    internal override bool HasWork(long now) => _unparking.Count > 0;

    internal override void Settled(Turn turn)
    {
        if (_unparking.TryPeek(out var next))
        {
            Unpark(turn, next);
        }
    }

    // language=sqlite
    private const string AnybodyKnowsSql = "select 1 from errand_worker_names where name = @name limit 1";

    // language=sqlite
    private const string ParkSql = """
        update errand_tasks
        set    state = 11, parked = 1, due = @due
        where  id in (select id from errand_tasks where queue = @queue and name = @name and state = 10 limit @count)
        """;

    /// <summary>Parks what nobody knows of a queue's tasks, once in a transaction.</summary>
    /// <returns>True when there is more to look at than one step does.</returns>
    internal bool ParkUnknown(Turn turn, long queue)
    {
        if (!_looked.Add(queue))
        {
            return false;
        }

        var parked = 0;
        var next = _nextName.GetValueOrDefault(queue);
        for (var names = 0; names < NamesInStep && parked < Step; names++)
        {
            if (ReadyTasks.NextName(turn, queue, next) is not { } name)
            {
                _nextName.Remove(queue);
                return false;
            }

            var count = turn.Statement(AnybodyKnowsSql).With(name).Scalar() is null ? Park(turn, queue, name, Step - parked) : 0;
            parked += count;
            next = parked < Step ? name + 1 : name;
        }

        _nextName[queue] = next;
        return true;
    }

    /// <summary>Whether one of the first names that are ready in a queue is known to nobody.</summary>
    internal static bool IsAnyUnknown(Turn reader, long queue)
    {
        var next = 0L;
        for (var names = 0; names < NamesInStep && ReadyTasks.NextName(reader, queue, next) is { } name; names++)
        {
            if (reader.Statement(AnybodyKnowsSql).With(name).Scalar() is null)
            {
                return true;
            }

            next = name + 1;
        }

        return false;
    }

    private int Park(Turn turn, long queue, long name, int count)
    {
        var due = turn.Now + (long)Defaults.UnknownNameParking.TotalMilliseconds;
        var parked = turn.WaitAgain(due, turn.Statement(ParkSql).With(due).With(queue).With(name).With(count));
        if (turn.Now - _told.GetValueOrDefault(name) >= (long)Defaults.UnknownNameParking.TotalMilliseconds)
        {
            var text = turn.TextOf(name);
            turn.Effects.AfterCommit(() => NoteTold(name, turn.Now));
            turn.Effects.Report(() => Log.Parked(logger, text, Defaults.UnknownNameParking));
        }

        return parked;
    }

    private void NoteTold(long name, long now)
    {
        if (_told.Count >= NamesRemembered)
        {
            _told.Clear();
        }

        _told[name] = now;
    }

    /// <summary>A worker begins: tasks that were parked wait again if it knows them. In as many steps as that takes.</summary>
    internal void Unpark(Turn turn, LocalWorker worker) => Unpark(turn, new Unparking(worker));

    // What is parked is due within the time of parking. language=sqlite
    private const string SelectParkedSql = """
        select   id, name, parked, due, queue
        from     errand_tasks
        where    state = 11 and due <= @until and (due, queue, id) > (@due, @queue, @id)
        order by due, queue, id
        limit    @count
        """;

    // language=sqlite
    private const string UnparkSql = "update errand_tasks set state = 10, parked = null, due = @now where id = @id";

    private void Unpark(Turn turn, Unparking step)
    {
        var isFirst = _unparking.Count == 0 || _unparking.Peek() != step;
        var place = step.Place;
        List<long> known = [];
        var looked = 0;
        var rows = turn.Statement(SelectParkedSql).With(turn.Now + (long)Defaults.UnknownNameParking.TotalMilliseconds)
            .With(place.Due).With(place.Queue).With(place.Id).With(ParkedInStep);
        while (known.Count < Step && rows.Step())
        {
            looked++;
            place = (rows.Int64(3), rows.Int64(4), rows.Int64(0));
            if (!rows.IsNull(2) && step.Worker.Knows(rows.Int64(1)))
            {
                known.Add(place.Id);
            }
        }

        rows.Reset();
        foreach (var id in known)
        {
            turn.WaitAgain(turn.Now, turn.Statement(UnparkSql).With(turn.Now).With(id));
        }

        var goesOn = looked == ParkedInStep || known.Count == Step;
        turn.Effects.AfterCommit(() =>
        {
            step.MoveTo(place);
            if (isFirst && goesOn)
            {
                _unparking.Enqueue(step);
            }
            else if (!isFirst && !goesOn)
            {
                _unparking.Dequeue();
            }
        });
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

    /// <summary>The parked tasks of a worker that has begun, and how far they have been looked at.</summary>
    private sealed class Unparking(LocalWorker worker)
    {
        internal LocalWorker Worker => worker;

        internal (long Due, long Queue, long Id) Place { get; private set; }

        internal void MoveTo((long Due, long Queue, long Id) place) => Place = place;
    }
}
