namespace Errand.Sqlite.Inspect;

/// <summary>Delete: a task that does not run goes with all that is kept of it.</summary>
internal static class Removal
{
    internal static Operation<Turn, bool> Delete(long id) => new DeleteOperation(id);

    private sealed class DeleteOperation(long id) : Operation<Turn, bool>
    {
        private bool? _deleted; // False when the task runs; null when there is no such task.

        internal override TurnStage Stage => TurnStage.Settle;

        internal override void Run(Turn turn)
        {
            // After a rollback whose commit was done after all, a second run finds nothing to delete.
            bool? deleted = turn.Remove(id) ? true : turn.Exists(id) ? false : null;
            _deleted = _deleted == true && deleted is null ? _deleted : deleted;
            Result = _deleted.GetValueOrDefault();
            Refusal = _deleted is null ? new TaskNotFoundException(new TaskId(id)) : null;
        }
    }
}
