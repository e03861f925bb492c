using Npgsql;
using NpgsqlTypes;

namespace Errand.PostgreSql.Workers;

/// <summary>
/// Heartbeats: one synchronous statement on a connection of their own, without the thread pool and without the turns.
/// </summary>
internal sealed class Heartbeats(
    PostgresStore store, StoreClock clock, IInbox<Turn> inbox, Incarnations workers) : IDisposable
{
    /// <summary>The longest that a heartbeat may take, in seconds: a late one is worth little.</summary>
    private const int LongestBeat = 10;

    private readonly Lock _lock = new();
    private NpgsqlConnection? _connection; // Under the lock: of the threads that beat.
    private volatile bool _isDisposed; // Set once, by dispose.

    /// <returns>False when the owner has lost its leases.</returns>
    internal bool Beat(long owner)
    {
        CheckDisposed();
        bool isAlive;
        lock (_lock)
        {
            try
            {
                isAlive = BeatOnce(owner);
            }
            catch (BackendException) when (_connection is null && !_isDisposed)
            {
                isAlive = BeatOnce(owner); // The connection was lost since the last beat: on a new one.
            }
        }

        if (!isAlive)
        {
            inbox.TryAdd(new LostNote(workers, owner));
        }

        return isAlive;
    }

    private bool BeatOnce(long owner)
    {
        try
        {
            _connection ??= store.Open("heartbeats");
            using var command = new NpgsqlCommand(store.Sql(Incarnations.BeatSql), _connection)
            {
                CommandTimeout = Math.Min(LongestBeat, store.CommandTimeout),
            };
            command.Parameters.Add(new NpgsqlParameter("now", NpgsqlDbType.Bigint)
            {
                Value = clock.TestNow is { } now ? now : DBNull.Value,
            });
            command.Parameters.Add(new NpgsqlParameter<long>("id", owner));
            return command.ExecuteNonQuery() == 1;
        }
        catch (Exception e) when (PostgresErrors.IsOurs(e))
        {
            _connection?.Dispose();
            _connection = null;
            CheckDisposed();
            throw PostgresErrors.From(e, store.Name);
        }
    }

    private void CheckDisposed()
    {
        if (_isDisposed)
        {
            throw Inbox.Disposed();
        }
    }

    /// <summary>Refuses further beats; one that runs goes on.</summary>
    internal void Refuse() => _isDisposed = true;

    public void Dispose()
    {
        _isDisposed = true;
        lock (_lock)
        {
            _connection?.Dispose();
            _connection = null;
        }
    }

    /// <summary>A heartbeat has found no row: the owner is given nothing more.</summary>
    private sealed class LostNote(Incarnations workers, long owner) : Note<Turn>
    {
        internal override void Hear() => workers.Drop(owner);
    }
}
