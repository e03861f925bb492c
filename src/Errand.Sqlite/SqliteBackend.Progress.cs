using Errand.Sqlite.Engine;

namespace Errand.Sqlite;

/// <summary>Progress and checkpoints: beside the hot row, and fenced like a settlement.</summary>
public sealed partial class SqliteBackend
{
    /// <inheritdoc/>
    public async ValueTask<bool> ReportProgressAsync(
        TaskLease lease, double? fraction, string? message, CancellationToken cancellationToken = default) =>
        await SubmitAsync(new ProgressOperation(this, lease, fraction, message), cancellationToken).ConfigureAwait(false);

    /// <inheritdoc/>
    public async ValueTask<bool> SaveCheckpointAsync(
        TaskLease lease, ReadOnlyMemory<byte> checkpoint, CancellationToken cancellationToken = default) =>
        await SubmitAsync(new CheckpointOperation(this, lease, checkpoint), cancellationToken).ConfigureAwait(false);

    /// <inheritdoc/>
    public async ValueTask<ReadOnlyMemory<byte>> ReadCheckpointAsync(TaskId id, CancellationToken cancellationToken = default) =>
        await SubmitAsync(new ReadCheckpointOperation(this, id.Value), cancellationToken).ConfigureAwait(false);

    // language=sqlite
    private const string ReportProgressSql = """
        insert into progress (task, fraction, message, reported)
        select id, @fraction, @message, @now
        from   tasks
        where  id = @id and owner = @owner and epoch = @epoch and state = 12
        on conflict (task) do update
        set    fraction = excluded.fraction, message = excluded.message, reported = excluded.reported
        """;

    // language=sqlite
    private const string SaveCheckpointSql = """
        insert into progress (task, checkpoint)
        select id, @checkpoint
        from   tasks
        where  id = @id and owner = @owner and epoch = @epoch and state = 12
        on conflict (task) do update set checkpoint = excluded.checkpoint
        """;

    // language=sqlite
    private const string ReadCheckpointSql = "select checkpoint from progress where task = @task";

    private sealed class ProgressOperation(SqliteBackend backend, TaskLease lease, double? fraction, string? message) : Operation<bool>
    {
        internal override TurnPart Part => TurnPart.Settle;

        internal override void Run() => Result = backend.Database.Statement(ReportProgressSql)
            .With(fraction).With(message).With(backend._now).With(lease.Id.Value).With(lease.Owner.Value).With(lease.Epoch).Execute() == 1;
    }

    private sealed class CheckpointOperation(SqliteBackend backend, TaskLease lease, ReadOnlyMemory<byte> checkpoint) : Operation<bool>
    {
        internal override TurnPart Part => TurnPart.Settle;

        internal override void Run() => Result = backend.Database.Statement(SaveCheckpointSql)
            .With(checkpoint.Span).With(lease.Id.Value).With(lease.Owner.Value).With(lease.Epoch).Execute() == 1;
    }

    private sealed class ReadCheckpointOperation(SqliteBackend backend, long id) : Operation<ReadOnlyMemory<byte>>
    {
        internal override TurnPart Part => TurnPart.Read;

        internal override void Run()
        {
            var row = backend.Database.Statement(ReadCheckpointSql).With(id);
            Result = row.Step() && !row.IsNull(0) ? row.Blob(0) : default(ReadOnlyMemory<byte>);
            row.Reset();
        }
    }
}
