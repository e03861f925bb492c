namespace Errand.Sqlite.Settle;

/// <summary>
/// What handlers log, where a worker keeps it: the last <see cref="Defaults.AttemptsKept"/> starts of each task, kept as long
/// as the task. It only says what was, so no lease guards it.
/// </summary>
internal sealed class AttemptLogs : Part<Turn>
{
    internal override Moments Hears => Moments.Removed | Moments.Pruning;

    internal static Operation<Turn, bool> Save(TaskLease lease, string log) => new SaveOperation(lease, log);

    // language=sqlite
    private const string SaveLogSql = """
        insert or replace into errand_logs (task, epoch, log)
        select @task, @epoch, @log
        where  exists (select 1 from errand_tasks where id = @task and epoch >= @epoch)
        or     exists (select 1 from errand_finished where id = @task and epoch >= @epoch)
        """;

    // language=sqlite
    private const string ForgetLogsSql = "delete from errand_logs where task = @task and epoch <= @epoch";

    // language=sqlite
    private const string FindLogSql = "select log from errand_logs where task = @task and epoch = @epoch";

    /// <summary>What a start of a task has logged; null if nothing is kept of it.</summary>
    internal static string? Find(Turn snapshot, long id, long epoch)
    {
        var row = snapshot.Statement(FindLogSql).With(id).With(epoch);
        var log = row.Step() ? row.Text(0) : null;
        row.Reset();
        return log;
    }

    // language=sqlite
    private const string DeleteLogsSql = "delete from errand_logs where task = @task";

    internal override void Removed(Turn turn, long id) => turn.Statement(DeleteLogsSql).With(id).Execute();

    // language=sqlite
    private const string PruneLogsSql = """
        delete from errand_logs
        where  task in (select id from errand_finished where state = @state and finished < @before order by finished limit @count)
        """;

    internal override void Pruning(Turn turn, TaskState state, long before, int count) =>
        turn.Statement(PruneLogsSql).With((long)state).With(before).With(count).Execute();

    internal override IReadOnlyList<string> Tables => ["errand_logs"];

    // language=sqlite
    internal override IReadOnlyList<string> InvariantsSql =>
    [
        """
        select 'A log is kept of task ' || task || ', which is gone.'
        from   errand_logs
        where  task not in (select id from errand_tasks) and task not in (select id from errand_finished)
        group by task
        limit  20
        """,
    ];

    private sealed class SaveOperation(TaskLease lease, string log) : Operation<Turn, bool>
    {
        internal override TurnStage Stage => TurnStage.Settle;

        internal override bool Finishes => true;

        internal override long Bytes => log.Length;

        internal override void Run(Turn turn)
        {
            Result = turn.Statement(SaveLogSql).With(lease.Id.Value).With(lease.Epoch).With(log).Execute() == 1;
            if (Result && lease.Epoch > Defaults.AttemptsKept)
            {
                turn.Statement(ForgetLogsSql).With(lease.Id.Value).With(lease.Epoch - Defaults.AttemptsKept).Execute();
            }
        }
    }
}
