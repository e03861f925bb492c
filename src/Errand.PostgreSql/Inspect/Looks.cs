using System.Data;
using Npgsql;

namespace Errand.PostgreSql.Inspect;

/// <summary>
/// Takes snapshots. One connection is kept between them, for a health check or a dashboard that looks every few seconds.
/// Any thread's.
/// </summary>
internal sealed class Looks(PostgresStore store) : IAsyncDisposable
{
    private NpgsqlConnection? _kept; // Exchanged by each read: null while it is in use.
    private volatile bool _isDisposed; // Set once, by dispose.

    // As the turns have it, but for sorts: a look may want an order that no index has. language=postgresql
    private const string PlannerSql =
        "set local enable_seqscan = off; set local enable_mergejoin = off; set local jit = off";

    /// <summary>Reads in one snapshot.</summary>
    internal async Task<T> TakeAsync<T>(Func<Snapshot, Task<T>> read, CancellationToken cancellationToken)
    {
        if (Interlocked.Exchange(ref _kept, null) is { } kept)
        {
            try
            {
                return await TakeAsync(kept, read, cancellationToken).ConfigureAwait(false);
            }
            catch (BackendException e) when (PostgresErrors.LostConnection(e))
            {
                // It was lost since the last look: on a new one.
            }
        }

        var connection = await store.OpenAsync("looks", cancellationToken).ConfigureAwait(false);
        return await TakeAsync(connection, read, cancellationToken).ConfigureAwait(false);
    }

    private async Task<T> TakeAsync<T>(
        NpgsqlConnection connection, Func<Snapshot, Task<T>> read, CancellationToken cancellationToken)
    {
        T found;
        try
        {
            var transaction = await connection.BeginTransactionAsync(IsolationLevel.RepeatableRead, cancellationToken)
                .ConfigureAwait(false);
            await using (transaction.ConfigureAwait(false))
            {
                var snapshot = new Snapshot(connection, transaction, store);
                var planner = new NpgsqlCommand(PlannerSql, connection, transaction);
                await using (planner.ConfigureAwait(false))
                {
                    await planner.ExecuteNonQueryAsync(cancellationToken).ConfigureAwait(false);
                }

                found = await read(snapshot).ConfigureAwait(false);
            }
        }
        catch (Exception e)
        {
            await connection.DisposeAsync().ConfigureAwait(false);
            if (PostgresErrors.IsOurs(e))
            {
                throw PostgresErrors.From(e, store.Name);
            }

            throw;
        }

        await KeepAsync(connection).ConfigureAwait(false);
        return found;
    }

    private async ValueTask KeepAsync(NpgsqlConnection connection)
    {
        var surplus = Interlocked.Exchange(ref _kept, connection);
        if (surplus is not null)
        {
            await surplus.DisposeAsync().ConfigureAwait(false);
        }

        if (_isDisposed)
        {
            await DisposeAsync().ConfigureAwait(false);
        }
    }

    public async ValueTask DisposeAsync()
    {
        _isDisposed = true;
        if (Interlocked.Exchange(ref _kept, null) is { } kept)
        {
            await kept.DisposeAsync().ConfigureAwait(false);
        }
    }
}
