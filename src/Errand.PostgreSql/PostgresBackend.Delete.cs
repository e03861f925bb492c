using Errand.PostgreSql.Engine;

namespace Errand.PostgreSql;

/// <summary>Delete: a task that does not run goes with all that is kept of it.</summary>
public sealed partial class PostgresBackend
{
    /// <inheritdoc/>
    public async ValueTask<bool> DeleteAsync(TaskId id, CancellationToken cancellationToken = default) =>
        await SubmitAsync(new DeleteOperation(this, id.Value), cancellationToken).ConfigureAwait(false);

    // language=postgresql
    private const string DeleteWaitingSql = "delete from errand.tasks where id = @id and state + 0 <> 12 returning id";

    // language=postgresql
    private const string DeleteFinishedSql = "delete from errand.finished where id = @id returning id";

    // language=postgresql
    private const string DeleteAttemptsSql = """
        delete from errand.attempts
        where  task = @id and not exists (select from errand.tasks t where t.id = @id)
        returning task
        """;

    // language=postgresql
    private const string DeleteProgressSql = """
        delete from errand.progress
        where  task = @id and not exists (select from errand.tasks t where t.id = @id)
        returning task
        """;

    // language=postgresql
    private const string IsLiveSql = "select id from errand.tasks where id = @id";

    private sealed class DeleteOperation(PostgresBackend backend, long id) : Operation<bool>
    {
        private bool? _deleted; // Null when there is no such task.

        internal override TurnPart Part => TurnPart.Settle;

        internal override long? Task => id;

        internal override void Run(TurnBatch batch)
        {
            _deleted = MayBeDone ? true : null; // By a turn whose answer was lost.
            backend.NoteEnded(id); // Who waits for it looks, and learns that there is no such task.
            batch
                .Add(IsLiveSql, _ => _deleted = false).With("id", id)
                .Add(DeleteWaitingSql, _ => _deleted = true).With("id", id)
                .Add(DeleteFinishedSql, _ => _deleted = true).With("id", id)
                .Add(DeleteAttemptsSql, _ => { }).With("id", id)
                .Add(DeleteProgressSql, _ => { }).With("id", id);
        }

        internal override void Complete()
        {
            if (_deleted is { } deleted)
            {
                Result = deleted;
                base.Complete();
            }
            else
            {
                Fail(new TaskNotFoundException(new TaskId(id)));
            }
        }
    }
}
