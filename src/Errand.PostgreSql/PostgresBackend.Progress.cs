using Errand.PostgreSql.Engine;

namespace Errand.PostgreSql;

/// <summary>Progress and checkpoints: beside the hot row, and fenced like a settlement.</summary>
public sealed partial class PostgresBackend
{
    /// <inheritdoc/>
    public async ValueTask<bool> ReportProgressAsync(
        TaskLease lease, double? fraction, string? message, CancellationToken cancellationToken = default) =>
        await SubmitAsync(new ProgressOperation(this, lease, fraction, message), cancellationToken).ConfigureAwait(false);

    /// <inheritdoc/>
    public async ValueTask<bool> SaveCheckpointAsync(
        TaskLease lease, ReadOnlyMemory<byte> checkpoint, CancellationToken cancellationToken = default) =>
        await SubmitAsync(new CheckpointOperation(lease, checkpoint), cancellationToken).ConfigureAwait(false);

    /// <inheritdoc/>
    public async ValueTask<ReadOnlyMemory<byte>> ReadCheckpointAsync(TaskId id, CancellationToken cancellationToken = default) =>
        await SubmitAsync(new ReadCheckpointOperation(id.Value), cancellationToken).ConfigureAwait(false);

    // language=postgresql
    private const string ReportProgressSql = """
        insert into errand.progress (task, fraction, message, reported)
        select id, @fraction, @message, errand.now_ms(@now)
        from   errand.tasks
        where  id = @id and owner + 0 = @owner and epoch = @epoch and state + 0 = 12
        for    share
        on conflict (task) do update
        set    fraction = excluded.fraction, message = excluded.message, reported = excluded.reported
        returning task
        """;

    // language=postgresql
    private const string SaveCheckpointSql = """
        insert into errand.progress (task, checkpoint)
        select id, @checkpoint
        from   errand.tasks
        where  id = @id and owner + 0 = @owner and epoch = @epoch and state + 0 = 12
        for    share
        on conflict (task) do update set checkpoint = excluded.checkpoint
        returning task
        """;

    // language=postgresql
    private const string ReadCheckpointSql = "select checkpoint from errand.progress where task = @task and checkpoint is not null";

    private sealed class ProgressOperation(PostgresBackend backend, TaskLease lease, double? fraction, string? message) : Operation<bool>
    {
        internal override long? Task => lease.Id.Value;

        internal override TurnPart Part => TurnPart.Settle;

        internal override void Run(TurnBatch batch)
        {
            Result = false;
            batch.Add(ReportProgressSql, _ => Result = true)
                .With("fraction", fraction).With("message", message).With("now", backend.TestNow)
                .With("id", lease.Id.Value).With("owner", lease.Owner.Value).With("epoch", lease.Epoch);
        }
    }

    private sealed class CheckpointOperation(TaskLease lease, ReadOnlyMemory<byte> checkpoint) : Operation<bool>
    {
        internal override long? Task => lease.Id.Value;

        internal override TurnPart Part => TurnPart.Settle;

        internal override void Run(TurnBatch batch)
        {
            Result = false;
            batch.Add(SaveCheckpointSql, _ => Result = true)
                .With("checkpoint", checkpoint.ToArray())
                .With("id", lease.Id.Value).With("owner", lease.Owner.Value).With("epoch", lease.Epoch);
        }
    }

    private sealed class ReadCheckpointOperation(long id) : Operation<ReadOnlyMemory<byte>>
    {
        internal override TurnPart Part => TurnPart.Read;

        internal override void Run(TurnBatch batch)
        {
            Result = default;
            batch.Add(ReadCheckpointSql, row => Result = row.GetFieldValue<byte[]>(0)).With("task", id);
        }
    }
}
