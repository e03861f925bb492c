using Microsoft.Extensions.Logging;
using Npgsql;

namespace Errand.PostgreSql.Upkeep;

/// <summary>
/// The vacuum of the live tasks. Autovacuum's nap is the server's, a minute by default, in which a busy queue leaves
/// millions of dead rows; so the engine vacuums its own table, one process at a time.
/// </summary>
internal sealed class Vacuum(
    PostgresStore store, PostgresBackendOptions options, TimeProvider time, ILogger logger, CancellationToken closing)
    : Part<Turn>, IAsyncDisposable
{
    private const int VacuumRows = 50_000;
    private const int FewestVacuumRows = 1_000;
    private const long ManyDeadRows = 200_000;

    private static readonly TimeSpan VacuumInterval = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan WarningInterval = TimeSpan.FromMinutes(1);

    private Task _vacuuming = Task.CompletedTask;
    private long _deadRows; // Rows that this backend has left dead since its last.
    private long _lastVacuum;
    private long _lastWarning;
    private bool _isRefused; // This user may not vacuum the table, and that was reported.

    internal override Moments Hears => Moments.Tidy;

    /// <summary>A turn has settled that many tasks, and has left as many dead rows.</summary>
    internal void NoteDeadRows(int count) => _deadRows += count;

    internal override ValueTask TidyAsync(Turn? reader)
    {
        if (reader is { Session.MayVacuum: var may } && _isRefused == may)
        {
            _isRefused = !may;
            if (_isRefused)
            {
                Log.VacuumRefused(logger, store.Name);
            }
        }

        var isDue = _deadRows >= VacuumRows
            || (_deadRows >= FewestVacuumRows && time.GetElapsedTime(_lastVacuum) >= VacuumInterval);
        if (isDue && _vacuuming.IsCompleted && !_isRefused && !closing.IsCancellationRequested)
        {
            _deadRows = 0;
            _lastVacuum = time.GetTimestamp();
            _vacuuming = Task.Run(VacuumAsync, CancellationToken.None);
        }

        return default;
    }

    public async ValueTask DisposeAsync() => await _vacuuming.ConfigureAwait(false);

    // The process that writes first is elected. language=postgresql
    private const string ElectSql = """
        update errand.errand_meta
        set    vacuumed = errand.errand_now_ms(null)
        where  vacuumed < errand.errand_now_ms(null) - @interval
        """;

    // language=postgresql
    private const string VacuumSql = "vacuum (skip_locked, truncate false) errand.errand_tasks";

    private async Task VacuumAsync()
    {
        try
        {
            var connection = await store.OpenAsync("vacuums", closing).ConfigureAwait(false);
            await using (connection.ConfigureAwait(false))
            {
                var elect = new NpgsqlCommand(store.Sql(ElectSql), connection)
                {
                    Parameters = { new("interval", (long)(VacuumInterval * 0.5).TotalMilliseconds) },
                };
                var vacuum = new NpgsqlCommand(store.Sql(VacuumSql), connection) { CommandTimeout = 0 };
                await using (elect.ConfigureAwait(false))
                await using (vacuum.ConfigureAwait(false))
                {
                    if (await elect.ExecuteNonQueryAsync(closing).ConfigureAwait(false) == 1)
                    {
                        await vacuum.ExecuteNonQueryAsync(closing).ConfigureAwait(false);
                        await WarnAsync(connection).ConfigureAwait(false);
                    }
                }
            }
        }
        catch (OperationCanceledException)
        {
            // The backend is being disposed.
        }
        catch (Exception e) when (e is BackendException || PostgresErrors.IsOurs(e))
        {
            Log.UpkeepFailed(logger, store.Name, e);
        }
    }

    // language=postgresql
    private const string DeadRowsSql =
        "select n_dead_tup from pg_stat_user_tables where relid = 'errand.errand_tasks'::regclass";

    // Of another role's transaction, the start is hidden and the age in transactions is not. What runs for a standby is
    // in no database. language=postgresql
    private const string OldestSnapshotSql = """
        select   holder, age
        from     (
            select 'The server process ' || pid || coalesce(' (' || nullif(application_name, '') || ')', '') as holder,
                   extract(epoch from clock_timestamp() - xact_start)::float8 as age, age(backend_xmin) as xids
            from   pg_stat_activity
            where  backend_xmin is not null and pid <> pg_backend_pid()
            and    (datname = current_database() or datname is null)
            and    coalesce(xact_start < clock_timestamp() - @age, age(backend_xmin) >= @xids)
            union all
            select 'The prepared transaction ' || quote_literal(gid),
                   extract(epoch from clock_timestamp() - prepared)::float8, age(transaction)
            from   pg_prepared_xacts
            where  database = current_database() and prepared < clock_timestamp() - @age
            union all
            select 'The replication slot ' || quote_literal(slot_name), null, age(xmin)
            from   pg_replication_slots
            where  age(xmin) >= @xids) as holders
        order by xids desc
        limit    1
        """;

    /// <summary>Says what holds vacuum back, at most once a minute.</summary>
    private async Task WarnAsync(NpgsqlConnection connection)
    {
        if (_lastWarning != 0 && time.GetElapsedTime(_lastWarning) < WarningInterval)
        {
            return;
        }

        var deadRows = new NpgsqlCommand(store.Sql(DeadRowsSql), connection);
        var oldest = new NpgsqlCommand(OldestSnapshotSql, connection)
        {
            Parameters = { new("age", options.OldSnapshot), new("xids", options.OldTransactions) },
        };
        await using (deadRows.ConfigureAwait(false))
        await using (oldest.ConfigureAwait(false))
        {
            var dead = (long)(await deadRows.ExecuteScalarAsync(closing).ConfigureAwait(false) ?? 0L);
            var reader = await oldest.ExecuteReaderAsync(closing).ConfigureAwait(false);
            await using (reader.ConfigureAwait(false))
            {
                if (await reader.ReadAsync(closing).ConfigureAwait(false))
                {
                    var age = reader.IsDBNull(1)
                        ? "many transactions"
                        : $"{TimeSpan.FromSeconds(Math.Round(reader.GetDouble(1)))}";
                    Log.OldSnapshot(logger, store.Name, reader.GetString(0), age, dead);
                    _lastWarning = time.GetTimestamp();
                }
                else if (dead > ManyDeadRows)
                {
                    Log.ManyDeadRows(logger, store.Name, dead);
                    _lastWarning = time.GetTimestamp();
                }
            }
        }
    }
}
