using Errand.Sqlite.Engine;

namespace Errand.Sqlite;

/// <summary>Queues: which are paused, and in which order a worker begins with those that it serves.</summary>
public sealed partial class SqliteBackend
{
    private readonly HashSet<long> _paused = []; // As of this transaction; read anew when somebody else has written.
    private bool _pausedAreKnown;

    /// <inheritdoc/>
    public async ValueTask<bool> PauseAsync(string queue, CancellationToken cancellationToken = default)
    {
        OptionProblems.ThrowIfBad(queue, nameof(queue));
        return await SubmitAsync(new PauseOperation(this, queue, pauses: true), cancellationToken).ConfigureAwait(false);
    }

    /// <inheritdoc/>
    public async ValueTask<bool> ResumeAsync(string queue, CancellationToken cancellationToken = default)
    {
        OptionProblems.ThrowIfBad(queue, nameof(queue));
        return await SubmitAsync(new PauseOperation(this, queue, pauses: false), cancellationToken).ConfigureAwait(false);
    }

    // language=sqlite
    private const string PauseSql = "insert or ignore into paused_queues (queue) values (@queue)";

    // language=sqlite
    private const string ResumeSql = "delete from paused_queues where queue = @queue";

    // language=sqlite
    private const string SelectPausedSql = "select queue from paused_queues";

    private void ReadPaused()
    {
        _paused.Clear();
        var rows = Database.Statement(SelectPausedSql);
        while (rows.Step())
        {
            _paused.Add(rows.Int64(0));
        }

        _pausedAreKnown = true;
    }

    private bool IsPaused(long queue) => _paused.Count > 0 && _paused.Contains(queue);

    // language=sqlite
    private const string SelectReadyQueuesSql = """
        with recursive queues (queue) as (
            select min(queue) from tasks where state = 10
            union all
            select (select min(queue) from tasks where state = 10 and queue > queues.queue) from queues where queue is not null
        )
        select queue from queues where queue is not null
        """;

    /// <summary>The queues that have tasks ready: a hop in the index for each.</summary>
    private List<long> ReadyQueues()
    {
        List<long> queues = [];
        var rows = Database.Statement(SelectReadyQueuesSql);
        while (rows.Step())
        {
            queues.Add(rows.Int64(0));
        }

        return queues;
    }

    private sealed class PauseOperation(SqliteBackend backend, string queue, bool pauses) : Operation<bool>
    {
        internal override TurnPart Part => TurnPart.Settle;

        internal override void Run()
        {
            var id = backend._names.IdOf(backend.Database, queue);
            Result = backend.Database.Statement(pauses ? PauseSql : ResumeSql).With(id).Execute() == 1 || Result;
            backend.ReadPaused();
            backend.NoteReady();
        }
    }
}
