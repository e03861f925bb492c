namespace Errand.PostgreSql.Settle;

/// <summary>
/// Attempts that ended without ending their task: the last ones of each are kept as long as the task.
/// </summary>
internal sealed class Attempts : Part<Turn>
{
    /// <summary>How the error of a lost attempt begins.</summary>
    internal const string Lost = "The worker's process ended, or lost its lease, during attempt ";

    // A task in its first attempt is not asked about. language=postgresql
    internal const string WasLostSql = """
        t.attempt > 1 and exists (
            select
            from   errand.errand_attempts a
            where  a.task = t.id
            and    substr(a.error, 1, 62) = 'The worker''s process ended, or lost its lease, during attempt '::bytea)
        """;

    internal override Moments Hears => Moments.Removed;

    internal override IReadOnlyList<string> Tables => ["errand_attempts"];

    // language=postgresql
    private const string ForgetAttemptsSql = """
        delete from errand.errand_attempts a
        where  a.task = any(@ids)
        and    a.epoch not in (
            select k.epoch from errand.errand_attempts k where k.task = a.task order by k.epoch desc limit @kept)
        returning a.task
        """;

    /// <summary>Forgets the oldest attempts of retried tasks, if one of them has more than are kept.</summary>
    internal static void Forget(Turn turn, List<SettleRow> retries)
    {
        if (retries.Exists(one => one.Lease.Epoch > Defaults.AttemptsKept))
        {
            Forget(turn, retries.ConvertAll(one => one.Lease.Id.Value).ToArray());
        }
    }

    internal static void Forget(Turn turn, long[] ids) =>
        turn.Add(ForgetAttemptsSql).With("ids", ids).With("kept", Defaults.AttemptsKept);

    // language=postgresql
    internal const string FindHistorySql = """
        select   attempt, epoch, started, ended, worker, error, log
        from     errand.errand_attempts
        left join errand.errand_logs using (task, epoch)
        where    task = @task
        order by epoch desc
        limit    @kept
        """;

    // language=postgresql
    private const string DeleteAttemptsSql = """
        delete from errand.errand_attempts
        where  task = @id and not exists (select from errand.errand_tasks t where t.id = @id)
        returning task
        """;

    internal override void Removed(Turn turn, long id) => turn.Add(DeleteAttemptsSql).With("id", id);
}
