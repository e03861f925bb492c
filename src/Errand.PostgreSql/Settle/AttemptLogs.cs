using System.Text;

namespace Errand.PostgreSql.Settle;

/// <summary>
/// What handlers log, where a worker keeps it: the last <see cref="Defaults.AttemptsKept"/> starts of each task, kept as
/// long as the task. It only says what was, so no lease guards it.
/// </summary>
internal sealed class AttemptLogs : Part<Turn>
{
    internal override Moments Hears => Moments.Removed;

    internal override IReadOnlyList<string> Tables => ["errand_logs"];

    internal static Operation<Turn, bool> Save(TaskLease lease, string log) => new SaveOperation(lease, log);

    // The row is held, so that the log is not left behind by who removes the task. language=postgresql
    private const string SaveLogSql = """
        with live as materialized (
            select id from errand.errand_tasks where id = @id and epoch >= @epoch for key share
        ),
        ended as materialized (
            select id from errand.errand_finished where id = @id and epoch >= @epoch for key share
        )
        insert into errand.errand_logs (task, epoch, log)
        select id, @epoch, @log
        from   (select id from live union select id from ended) as started
        on conflict (task, epoch) do update set log = excluded.log
        returning task
        """;

    // language=postgresql
    private const string ForgetLogsSql =
        "delete from errand.errand_logs where task = @id and epoch <= @epoch returning task";

    // language=postgresql
    internal const string FindLogSql =
        "select epoch, log from errand.errand_logs where task = @task order by epoch desc limit 1";

    // language=postgresql
    private const string DeleteLogsSql = """
        delete from errand.errand_logs
        where  task = @id and not exists (select from errand.errand_tasks t where t.id = @id)
        returning task
        """;

    internal override void Removed(Turn turn, long id) => turn.Add(DeleteLogsSql).With("id", id);

    private sealed class SaveOperation(TaskLease lease, string log) : Operation<Turn, bool>
    {
        internal override TurnStage Stage => TurnStage.Settle;

        internal override bool Finishes => true;

        internal override long Bytes => log.Length;

        internal override void Run(Turn turn)
        {
            Result = false;
            turn.Add(SaveLogSql, _ => Result = true)
                .With("id", lease.Id.Value).With("epoch", lease.Epoch).With("log", Encoding.UTF8.GetBytes(log));
            if (lease.Epoch > Defaults.AttemptsKept)
            {
                turn.Add(ForgetLogsSql).With("id", lease.Id.Value).With("epoch", lease.Epoch - Defaults.AttemptsKept);
            }
        }
    }
}
