using Microsoft.Extensions.Logging;
using Npgsql;

namespace Errand.PostgreSql.Enqueue;

/// <summary>
/// Ids that two tasks have, as after an asynchronous failover that lost the end of the sequence. The task that lives is
/// given a new id: under the old one it could never end, and every turn with it would fail.
/// </summary>
internal sealed class DoubleIds(PostgresStore store, Sessions sessions, ILogger logger)
{
    /// <summary>Whether a new task has met a live one with its id.</summary>
    internal static bool HasMetLive(BackendException exception) => HasMet(exception, "errand_tasks_pkey");

    /// <summary>Whether a task that ends has met a finished one with its id.</summary>
    internal static bool HasMetFinished(BackendException exception) => HasMet(exception, "errand_finished_pkey");

    private static bool HasMet(BackendException exception, string constraint) =>
        exception.InnerException is PostgresException { SqlState: PostgresErrorCodes.UniqueViolation } e
        && e.ConstraintName == constraint;

    /// <summary>New ids come from beyond all that are known; operations whose commit was never tried get new ones.</summary>
    internal async Task SkipAsync(IEnumerable<Operation<Turn>> operations)
    {
        await sessions.RunAloneAsync((session, batch) =>
        {
            session.Ids.Forget();
            batch.Add(TaskIds.SkipSql, static _ => { }).With("largest", session.Ids.Largest);
        }).ConfigureAwait(false);
        foreach (var operation in operations.Where(operation => !operation.MayBeDone))
        {
            (operation as IUsesIds)?.ForgetIds();
        }
    }

    // A worker that runs one settles nothing any more, and the task is released to be run again.
    // language=postgresql
    private const string MoveSql = """
        update errand.errand_tasks t
        set    id = nextval('errand.errand_task_ids')
        where  exists (select from errand.errand_finished f where f.id = t.id)
        returning id
        """;

    /// <summary>Gives each live task that has the id of a finished one a new id.</summary>
    internal async Task MoveAsync()
    {
        var moved = 0;
        await sessions.RunAloneAsync((_, batch) =>
        {
            moved = 0;
            batch.Add(MoveSql, _ => moved++);
        }).ConfigureAwait(false);
        Log.IdsGivenTwice(logger, store.Name, moved);
    }
}
