namespace Errand.PostgreSql.Settle;

/// <summary>Progress and checkpoints: beside the hot row, and fenced like a settlement.</summary>
internal sealed class Progress(StoreClock clock) : Part<Turn>
{
    internal override Moments Hears => Moments.Removed;

    internal override IReadOnlyList<string> Tables => ["errand_progress"];

    internal Operation<Turn, bool> Report(TaskLease lease, double? fraction, string? message) =>
        new ProgressOperation(clock, lease, fraction, message);

    internal static Operation<Turn, bool> SaveCheckpoint(TaskLease lease, ReadOnlyMemory<byte> checkpoint) =>
        new CheckpointOperation(lease, checkpoint);

    internal static Operation<Turn, ReadOnlyMemory<byte>> ReadCheckpoint(long id) => new ReadCheckpointOperation(id);

    // language=postgresql
    private const string ReportProgressSql = $"""
        insert into errand.errand_progress (task, fraction, message, reported)
        select id, @fraction, @message, errand.errand_now_ms(@now)
        from   errand.errand_tasks
        where  {Turn.FenceOfOne}
        for    share
        on conflict (task) do update
        set    fraction = excluded.fraction, message = excluded.message, reported = excluded.reported
        returning task
        """;

    // language=postgresql
    private const string SaveCheckpointSql = $"""
        insert into errand.errand_progress (task, checkpoint)
        select id, @checkpoint
        from   errand.errand_tasks
        where  {Turn.FenceOfOne}
        for    share
        on conflict (task) do update set checkpoint = excluded.checkpoint
        returning task
        """;

    // language=postgresql
    private const string ReadCheckpointSql =
        "select checkpoint from errand.errand_progress where task = @task and checkpoint is not null";

    // A row without a time holds a checkpoint alone. language=postgresql
    internal const string FindProgressSql =
        "select fraction, message, reported from errand.errand_progress where task = @task and reported is not null";

    // language=postgresql
    private const string DeleteProgressSql = """
        delete from errand.errand_progress
        where  task = @id and not exists (select from errand.errand_tasks t where t.id = @id)
        returning task
        """;

    internal override void Removed(Turn turn, long id) => turn.Add(DeleteProgressSql).With("id", id);

    private abstract class FencedOperation(TaskLease lease) : Operation<Turn, bool>, ILocksTasks
    {
        internal override TurnStage Stage => TurnStage.Settle;

        internal override bool Finishes => true;

        public IEnumerable<long> LockedTasks => [lease.Id.Value];

        internal override void Run(Turn turn)
        {
            Result = false;
            Add(turn).With("id", lease.Id.Value).With("owner", lease.Owner.Value).With("epoch", lease.Epoch);
        }

        /// <summary>Adds a statement that gives a row if the lease is held.</summary>
        protected abstract TurnBatch Add(Turn turn);
    }

    private sealed class ProgressOperation(StoreClock clock, TaskLease lease, double? fraction, string? message)
        : FencedOperation(lease)
    {
        protected override TurnBatch Add(Turn turn) => turn.Add(ReportProgressSql, _ => Result = true)
            .With("fraction", fraction).With("message", message).With("now", clock.TestNow);
    }

    private sealed class CheckpointOperation(TaskLease lease, ReadOnlyMemory<byte> checkpoint) : FencedOperation(lease)
    {
        protected override TurnBatch Add(Turn turn) =>
            turn.Add(SaveCheckpointSql, _ => Result = true).With("checkpoint", checkpoint.ToArray());
    }

    private sealed class ReadCheckpointOperation(long id) : Operation<Turn, ReadOnlyMemory<byte>>
    {
        internal override TurnStage Stage => TurnStage.Read;

        internal override void Run(Turn turn)
        {
            Result = default;
            turn.Add(ReadCheckpointSql, row => Result = row.GetFieldValue<byte[]>(0)).With("task", id);
        }
    }
}
