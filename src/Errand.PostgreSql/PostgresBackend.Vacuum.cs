using Errand.PostgreSql.Diagnostics;
using Errand.PostgreSql.Engine;
using Npgsql;

namespace Errand.PostgreSql;

/// <summary>
/// The vacuum of the live tasks. Autovacuum's nap is the server's, a minute by default, in which a busy queue leaves millions of dead
/// rows; so the engine sees to its own table, one process at a time.
/// </summary>
public sealed partial class PostgresBackend
{
    private const int VacuumRows = 50_000;
    private const int FewestVacuumRows = 1_000;
    private const long ManyDeadRows = 200_000;

    private static readonly TimeSpan VacuumInterval = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan WarningInterval = TimeSpan.FromMinutes(1);

    private Task _vacuuming = Task.CompletedTask;
    private long _settledSinceVacuum; // Rows that this backend has left dead since its last.
    private long _lastVacuum;
    private long _lastWarning;
    private bool _vacuumIsRefused; // Written by a vacuum, read by the loop after its end.

    private void VacuumWhenDue()
    {
        var isDue = _settledSinceVacuum >= VacuumRows
            || (_settledSinceVacuum >= FewestVacuumRows && Passed(_time.GetElapsedTime(_lastVacuum), VacuumInterval));
        if (isDue && _vacuuming.IsCompleted && !_vacuumIsRefused && !_isClosing)
        {
            _settledSinceVacuum = 0;
            _lastVacuum = _time.GetTimestamp();
            _vacuuming = Task.Run(VacuumAsync);
        }
    }

    private Task CloseVacuumAsync() => _vacuuming;

    // Elected is who writes first. language=postgresql
    private const string ElectSql = """
        update errand.meta
        set    vacuumed = errand.now_ms(null)
        where  vacuumed < errand.now_ms(null) - @interval
        """;

    // language=postgresql
    private const string VacuumSql = "vacuum (skip_locked, truncate false) errand.tasks";

    private async Task VacuumAsync()
    {
        try
        {
            var connection = await _store.OpenAsync("vacuums", _closing.Token).ConfigureAwait(false);
            await using (connection.ConfigureAwait(false))
            {
                var elect = new NpgsqlCommand(_store.Sql(ElectSql), connection)
                {
                    Parameters = { new("interval", (long)(VacuumInterval * 0.5).TotalMilliseconds) },
                };
                var vacuum = new NpgsqlCommand(_store.Sql(VacuumSql), connection) { CommandTimeout = 0 };
                await using (elect.ConfigureAwait(false))
                await using (vacuum.ConfigureAwait(false))
                {
                    if (await elect.ExecuteNonQueryAsync(_closing.Token).ConfigureAwait(false) == 1)
                    {
                        await vacuum.ExecuteNonQueryAsync(_closing.Token).ConfigureAwait(false);
                        await WarnAsync(connection).ConfigureAwait(false);
                    }
                }
            }
        }
        catch (OperationCanceledException)
        {
            // The backend is being disposed.
        }
        catch (PostgresException e) when (e.SqlState == PostgresErrorCodes.InsufficientPrivilege)
        {
            _vacuumIsRefused = true;
            Log.VacuumRefused(_logger, _store.Name, e);
        }
        catch (Exception e) when (e is BackendException || PostgresErrors.IsOurs(e))
        {
            Log.UpkeepFailed(_logger, _store.Name, e);
        }
    }

    // language=postgresql
    private const string DeadRowsSql = "select n_dead_tup from pg_stat_user_tables where relid = 'errand.tasks'::regclass";

    // language=postgresql
    private const string OldestSnapshotSql = """
        select   pid, coalesce(application_name, ''), extract(epoch from clock_timestamp() - xact_start)::float8
        from     pg_stat_activity
        where    backend_xmin is not null and datname = current_database() and pid <> pg_backend_pid()
        and      xact_start < clock_timestamp() - @age
        order by xact_start
        limit    1
        """;

    /// <summary>Says what holds vacuum back, at most once a minute.</summary>
    private async Task WarnAsync(NpgsqlConnection connection)
    {
        if (_lastWarning != 0 && !Passed(_time.GetElapsedTime(_lastWarning), WarningInterval))
        {
            return;
        }

        var deadRows = new NpgsqlCommand(_store.Sql(DeadRowsSql), connection);
        var oldest = new NpgsqlCommand(OldestSnapshotSql, connection) { Parameters = { new("age", _options.OldSnapshot) } };
        await using (deadRows.ConfigureAwait(false))
        await using (oldest.ConfigureAwait(false))
        {
            var dead = (long)(await deadRows.ExecuteScalarAsync(_closing.Token).ConfigureAwait(false) ?? 0L);
            var reader = await oldest.ExecuteReaderAsync(_closing.Token).ConfigureAwait(false);
            await using (reader.ConfigureAwait(false))
            {
                if (await reader.ReadAsync(_closing.Token).ConfigureAwait(false))
                {
                    var age = TimeSpan.FromSeconds(Math.Round(reader.GetDouble(2)));
                    Log.OldSnapshot(_logger, _store.Name, reader.GetInt32(0), reader.GetString(1), age, dead);
                    _lastWarning = _time.GetTimestamp();
                }
                else if (dead > ManyDeadRows)
                {
                    Log.ManyDeadRows(_logger, _store.Name, dead);
                    _lastWarning = _time.GetTimestamp();
                }
            }
        }
    }
}
