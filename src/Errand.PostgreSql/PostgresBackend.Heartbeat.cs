using Errand.PostgreSql.Engine;
using Npgsql;
using NpgsqlTypes;

namespace Errand.PostgreSql;

/// <summary>Heartbeats: a connection of their own, and neither the thread pool nor the turns.</summary>
public sealed partial class PostgresBackend
{
    /// <summary>The longest that a heartbeat may take, in seconds: a late one is worth little.</summary>
    private const int LongestBeat = 10;

    private readonly Lock _heartbeatLock = new();
    private NpgsqlConnection? _heartbeats; // Under the lock: of the threads that beat.

    private int HeartbeatTimeout => Math.Min(LongestBeat, _store.CommandTimeout);

    // language=postgresql
    private const string BeatSql = "update errand.workers set beat = errand.now_ms(@now) where id = @id";

    /// <inheritdoc/>
    /// <remarks>One synchronous statement on a connection of its own: it needs neither the thread pool nor the turns.</remarks>
    public bool Heartbeat(WorkerId owner)
    {
        ObjectDisposedException.ThrowIf(_disposal is not null, this);
        bool isAlive;
        lock (_heartbeatLock)
        {
            try
            {
                isAlive = Beat(owner.Value);
            }
            catch (BackendException) when (_heartbeats is null && _disposal is null)
            {
                isAlive = Beat(owner.Value); // The connection was lost since the last: on a new one.
            }
        }

        if (!isAlive)
        {
            _inbox.Writer.TryWrite(new LostNote(this, owner.Value));
        }

        return isAlive;
    }

    private bool Beat(long owner)
    {
        try
        {
            _heartbeats ??= _store.Open("heartbeats");
            using var command = new NpgsqlCommand(_store.Sql(BeatSql), _heartbeats) { CommandTimeout = HeartbeatTimeout };
            command.Parameters.Add(new NpgsqlParameter("now", NpgsqlDbType.Bigint) { Value = TestNow is { } now ? now : DBNull.Value });
            command.Parameters.Add(new NpgsqlParameter<long>("id", owner));
            return command.ExecuteNonQuery() == 1;
        }
        catch (Exception e) when (PostgresErrors.IsOurs(e))
        {
            _heartbeats?.Dispose();
            _heartbeats = null;
            ObjectDisposedException.ThrowIf(_disposal is not null, this);
            throw PostgresErrors.From(e, _store.Name);
        }
    }

    private void CloseHeartbeat()
    {
        lock (_heartbeatLock)
        {
            _heartbeats?.Dispose();
            _heartbeats = null;
        }
    }

    /// <summary>A heartbeat has found no row: the owner is given nothing more.</summary>
    private sealed class LostNote(PostgresBackend backend, long owner) : Note
    {
        internal override void Run(TurnBatch batch) => backend.Drop(owner, new WorkerLostException(new WorkerId(owner)));
    }
}
