namespace Errand.Sqlite.Settle;

/// <summary>
/// The attempts of a task that ended without ending it: the last <see cref="Defaults.AttemptsKept"/>, kept as long as
/// the task.
/// </summary>
internal sealed class Attempts : Part<Turn>
{
    /// <summary>How the error of a lost attempt begins.</summary>
    internal const string Lost = "The worker's process ended, or lost its lease, during attempt ";

    internal override Moments Hears => Moments.Removed | Moments.Pruning;

    // language=sqlite
    private const string NoteFailedSql = $"""
        insert into errand_attempts (task, epoch, attempt, started, ended, worker, error)
        select id, epoch, attempt, started, @now, owner, @error
        from   errand_tasks
        where  {Turn.Fence} and cancelled is null
        """;

    // language=sqlite
    private const string ForgetAttemptsSql = """
        delete from errand_attempts
        where  task = @task
        and    epoch not in (select epoch from errand_attempts where task = @task order by epoch desc limit @kept)
        """;

    /// <summary>An attempt has failed and another follows.</summary>
    internal static void NoteFailed(Turn turn, TaskLease lease, string error)
    {
        Turn.Fenced(turn.Statement(NoteFailedSql).With(turn.Now).With(error), lease).Execute();
        if (lease.Epoch > Defaults.AttemptsKept)
        {
            Forget(turn, lease.Id.Value);
        }
    }

    // language=sqlite
    private const string NoteLostSql = """
        insert into errand_attempts (task, epoch, attempt, started, ended, worker, error)
        select id, epoch, attempt, started, @now, owner, @error || attempt || ' of ' || max_attempts || '.'
        from   errand_tasks
        where  owner = @owner and state = 12
        """;

    /// <summary>The attempts that a worker was running are lost with it.</summary>
    internal static void NoteLost(Turn turn, long owner) =>
        turn.Statement(NoteLostSql).With(turn.Now).With(Lost).With(owner).Execute();

    // language=sqlite
    private const string WasLostSql = "select 1 from errand_attempts where task = @task and substr(error, 1, length(@lost)) = @lost limit 1";

    /// <summary>Whether one of the attempts that are kept was lost. A task in its first attempt is not asked about.</summary>
    internal static bool WasLost(Turn turn, long id, int attempt) =>
        attempt > 1 && turn.Statement(WasLostSql).With(id).With(Lost).Scalar() is not null;

    // The attempt that ended it is one among others now; which worker it had is not kept. language=sqlite
    private const string NoteRevivedSql = """
        insert or replace into errand_attempts (task, epoch, attempt, started, ended, worker, error)
        select id, epoch, attempt, started, finished, 0, coalesce(error, '')
        from   errand_finished
        where  id = @id
        """;

    /// <summary>A failed task is about to be retried.</summary>
    internal static void NoteRevived(Turn turn, long id)
    {
        turn.Statement(NoteRevivedSql).With(id).Execute();
        Forget(turn, id);
    }

    private static void Forget(Turn turn, long id) =>
        turn.Statement(ForgetAttemptsSql).With(id).With(Defaults.AttemptsKept).Execute();

    // language=sqlite
    private const string FindHistorySql = """
        select   attempt, epoch, started, ended, worker, error, log
        from     errand_attempts
        left join errand_logs using (task, epoch)
        where    task = @task
        order by epoch desc
        limit    @kept
        """;

    /// <summary>The attempts of a task, oldest first.</summary>
    internal static List<TaskAttempt> Find(Turn snapshot, long id)
    {
        List<TaskAttempt> history = [];
        var rows = snapshot.Statement(FindHistorySql).With(id).With(Defaults.AttemptsKept);
        while (rows.Step())
        {
            history.Add(new TaskAttempt
            {
                Attempt = rows.Int32(0),
                Epoch = rows.Int64(1),
                StartedAt = rows.Time(2),
                EndedAt = rows.Time(3),
                Worker = rows.Int64(4) is var worker and not 0 ? new WorkerId(worker) : null,
                Error = rows.Text(5),
                Log = rows.IsNull(6) ? null : rows.Text(6),
            });
        }

        history.Reverse();
        return history;
    }

    // language=sqlite
    private const string DeleteAttemptsSql = "delete from errand_attempts where task = @task";

    internal override void Removed(Turn turn, long id) => turn.Statement(DeleteAttemptsSql).With(id).Execute();

    // language=sqlite
    private const string PruneAttemptsSql = """
        delete from errand_attempts
        where  task in (select id from errand_finished where state = @state and finished < @before order by finished limit @count)
        """;

    internal override void Pruning(Turn turn, TaskState state, long before, int count) =>
        turn.Statement(PruneAttemptsSql).With((long)state).With(before).With(count).Execute();

    internal override IReadOnlyList<string> Tables => ["errand_attempts"];

    // language=sqlite
    internal override IReadOnlyList<string> InvariantsSql =>
    [
        """
        select 'Attempts are kept of task ' || task || ', which is gone.'
        from   errand_attempts
        where  task not in (select id from errand_tasks) and task not in (select id from errand_finished)
        group by task
        limit  20
        """,
        """
        select 'Task ' || task || ' has an attempt of start ' || kept.epoch || ', but was started ' || live.epoch || ' times.'
        from   errand_attempts as kept
        join   (select id, epoch from errand_tasks union all select id, epoch from errand_finished) as live on live.id = task
        where  kept.epoch > live.epoch or kept.epoch < 1
        limit  20
        """,
        """
        select 'Task ' || task || ' has the time ' || time || ', which is not between the years 1970 and 9999.'
        from   (select task, started as time from errand_attempts union all select task, ended from errand_attempts)
        where  time not between 0 and 253402300799999
        limit  20
        """,
    ];
}
