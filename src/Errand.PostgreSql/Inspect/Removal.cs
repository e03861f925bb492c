namespace Errand.PostgreSql.Inspect;

/// <summary>Delete: a task that does not run goes with all that is kept of it.</summary>
internal static class Removal
{
    internal static Operation<Turn, bool> Delete(long id) => new DeleteOperation(id);

    // language=postgresql
    private const string IsLiveSql = "select id from errand.errand_tasks where id = @id";

    private sealed class DeleteOperation(long id) : Operation<Turn, bool>, ILocksTasks
    {
        private bool? _deleted; // Null when there is no such task.

        internal override TurnStage Stage => TurnStage.Settle;

        public IEnumerable<long> LockedTasks => [id];

        internal override void Run(Turn turn)
        {
            _deleted = MayBeDone ? true : null; // By a turn whose answer was lost.
            if (MayBeDone)
            {
                turn.Effects.Ended.Add(id);
            }

            turn.Add(IsLiveSql, _ => _deleted = false).With("id", id);
            turn.Remove(id, () => _deleted = true);
        }

        internal override bool Complete()
        {
            Refusal = _deleted is null ? new TaskNotFoundException(new TaskId(id)) : null;
            Result = _deleted == true;
            return base.Complete();
        }
    }
}
