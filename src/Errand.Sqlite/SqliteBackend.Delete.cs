using Errand.Sqlite.Engine;

namespace Errand.Sqlite;

/// <summary>Delete: a task that does not run goes with all that is kept of it.</summary>
public sealed partial class SqliteBackend
{
    /// <inheritdoc/>
    public async ValueTask<bool> DeleteAsync(TaskId id, CancellationToken cancellationToken = default) =>
        await SubmitAsync(new DeleteOperation(this, id.Value), cancellationToken).ConfigureAwait(false);

    // language=sqlite
    private const string DeleteWaitingSql = "delete from tasks where id = @id and state in (10, 11)";

    // language=sqlite
    private const string DeleteAttemptsSql = "delete from attempts where task = @task";

    // language=sqlite
    private const string DeleteProgressSql = "delete from progress where task = @task";

    /// <returns>False when it runs; null when there is no such task.</returns>
    private bool? Delete(long id)
    {
        if (Database.Statement(DeleteWaitingSql).With(id).Execute() + Database.Statement(DeleteFinishedSql).With(id).Execute() == 0)
        {
            return Exists(Database, id) ? false : null;
        }

        Database.Statement(DeleteAttemptsSql).With(id).Execute();
        Database.Statement(DeleteProgressSql).With(id).Execute();
        NoteEnded(id); // Who waits for it looks, and learns that there is no such task.
        return true;
    }

    private sealed class DeleteOperation(SqliteBackend backend, long id) : Operation<bool>
    {
        private bool? _deleted;

        internal override TurnPart Part => TurnPart.Settle;

        internal override void Run()
        {
            // After a rollback whose commit was done after all, a second run finds nothing to delete.
            var deleted = backend.Delete(id);
            _deleted = _deleted == true && deleted is null ? _deleted : deleted;
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
