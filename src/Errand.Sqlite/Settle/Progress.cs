namespace Errand.Sqlite.Settle;

/// <summary>
/// Progress and checkpoints: beside the hot row, fenced like a settlement, and kept as long as the task.
/// </summary>
internal sealed class Progress : Part<Turn>
{
    internal override Moments Hears => Moments.Removed | Moments.Pruning;

    internal static Operation<Turn, bool> Report(TaskLease lease, double? fraction, string? message) =>
        new ProgressOperation(lease, fraction, message);

    internal static Operation<Turn, bool> SaveCheckpoint(TaskLease lease, ReadOnlyMemory<byte> checkpoint) =>
        new CheckpointOperation(lease, checkpoint);

    internal static Operation<Turn, ReadOnlyMemory<byte>> ReadCheckpoint(long id) => new ReadCheckpointOperation(id);

    // language=sqlite
    private const string ReportProgressSql = $"""
        insert into errand_progress (task, fraction, message, reported)
        select id, @fraction, @message, @now
        from   errand_tasks
        where  {Turn.Fence}
        on conflict (task) do update
        set    fraction = excluded.fraction, message = excluded.message, reported = excluded.reported
        """;

    // language=sqlite
    private const string SaveCheckpointSql = $"""
        insert into errand_progress (task, checkpoint)
        select id, @checkpoint
        from   errand_tasks
        where  {Turn.Fence}
        on conflict (task) do update set checkpoint = excluded.checkpoint
        """;

    // language=sqlite
    private const string ReadCheckpointSql = "select checkpoint from errand_progress where task = @task";

    // A row without a time holds a checkpoint alone. language=sqlite
    private const string FindProgressSql =
        "select fraction, message, reported from errand_progress where task = @task and reported is not null";

    internal static TaskProgress? Find(Turn snapshot, long id)
    {
        var row = snapshot.Statement(FindProgressSql).With(id);
        var progress = row.Step()
            ? new TaskProgress
            {
                Fraction = row.IsNull(0) ? null : row.Double(0), Message = row.IsNull(1) ? null : row.Text(1), ReportedAt = row.Time(2),
            }
            : null;
        row.Reset();
        return progress;
    }

    // language=sqlite
    private const string DeleteProgressSql = "delete from errand_progress where task = @task";

    internal override void Removed(Turn turn, long id) => turn.Statement(DeleteProgressSql).With(id).Execute();

    // language=sqlite
    private const string PruneProgressSql = """
        delete from errand_progress
        where  task in (select id from errand_finished where state = @state and finished < @before order by finished limit @count)
        """;

    internal override void Pruning(Turn turn, TaskState state, long before, int count) =>
        turn.Statement(PruneProgressSql).With((long)state).With(before).With(count).Execute();

    internal override IReadOnlyList<string> Tables => ["errand_progress"];

    // language=sqlite
    internal override IReadOnlyList<string> InvariantsSql =>
    [
        """
        select 'Progress is kept of task ' || task || ', which is gone.'
        from   errand_progress
        where  task not in (select id from errand_tasks) and task not in (select id from errand_finished)
        limit  20
        """,
        """
        select 'Task ' || task || ' has a progress of ' || fraction || '.' from errand_progress where fraction not between 0 and 1 limit 20
        """,
        """
        select 'Task ' || task || ' has the time ' || time || ', which is not between the years 1970 and 9999.'
        from   (select task, reported as time from errand_progress)
        where  time not between 0 and 253402300799999
        limit  20
        """,
    ];

    private sealed class ProgressOperation(TaskLease lease, double? fraction, string? message) : Operation<Turn, bool>
    {
        internal override TurnStage Stage => TurnStage.Settle;

        internal override bool Finishes => true;

        internal override void Run(Turn turn) => Result = Turn.Fenced(
            turn.Statement(ReportProgressSql).With(fraction).With(message).With(turn.Now), lease).Execute() == 1;
    }

    private sealed class CheckpointOperation(TaskLease lease, ReadOnlyMemory<byte> checkpoint) : Operation<Turn, bool>
    {
        internal override TurnStage Stage => TurnStage.Settle;

        internal override bool Finishes => true;

        internal override void Run(Turn turn) =>
            Result = Turn.Fenced(turn.Statement(SaveCheckpointSql).With(checkpoint.Span), lease).Execute() == 1;
    }

    private sealed class ReadCheckpointOperation(long id) : Operation<Turn, ReadOnlyMemory<byte>>
    {
        internal override TurnStage Stage => TurnStage.Read;

        internal override void Run(Turn turn)
        {
            var row = turn.Statement(ReadCheckpointSql).With(id);
            Result = row.Step() && !row.IsNull(0) ? row.Blob(0) : default(ReadOnlyMemory<byte>);
            row.Reset();
        }
    }
}
