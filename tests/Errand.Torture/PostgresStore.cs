using System.Data.Common;
using Errand.PostgreSql;
using Errand.PrivatePostgres;
using Npgsql;

namespace Errand.Torture;

internal sealed class PostgresStore(string connectionString, PostgresCluster? cluster = null) : Store
{
    internal const string Prefix = "postgres:";

    internal override string FinalsSql =>
        """
        select id, state::int, epoch::bigint, attempt::int, convert_from(result, 'utf8')::bigint,
               (select count(*)::int from effects where task = id and effects.epoch = errand_finished.epoch),
               (select count(*)::int from effects where task = id and effects.epoch <> errand_finished.epoch),
               started, finished, (select string_agg(a.epoch || ':' || a.started, ',') from errand_attempts a where a.task = errand_finished.id)
        from   errand_finished
        """;

    internal override IReadOnlyList<(string Sql, object Answer)> Checks =>
    [
        ("select count(*) from errand_tasks", 0L),
        ("select count(*) from errand_finished where id in (select id from errand_tasks)", 0L),
        ("select count(*) from errand_workers where id not in (select worker from errand_worker_names)", 0L),
    ];

    internal override IReadOnlyList<CrashPoint> EnginePoints => [];

    public override string ToString() => Prefix + connectionString;

    internal static new PostgresStore Parse(string text) => new(text[Prefix.Length..]);

    internal override IBackend Open(Crash? crash = null, bool isSilent = false) =>
        new PostgresBackend(connectionString, new PostgresBackendOptions { UseNotify = !isSilent });

    internal override async Task<DbConnection> ConnectAsync()
    {
        var connection = new NpgsqlConnection(connectionString + ";Search Path=errand;Pooling=false");
        await connection.OpenAsync();
        return connection;
    }

    /// <summary>Stops the server as a crash or an operator does and starts it again, or cuts connections.</summary>
    internal override async Task HarmAsync(Random random)
    {
        if (cluster is not null && random.Next(3) == 0)
        {
            await cluster.StopServerAsync(random.Next(2) == 0 ? "immediate" : "fast");
            await Task.Delay(random.Next(500));
            await cluster.StartServerAsync();
            return;
        }

        // Each for itself: some of a process's connections die, others live.
        await ScalarAsync(
            "select count(pg_terminate_backend(pid)) from pg_stat_activity "
            + "where pid <> pg_backend_pid() and datname = current_database() and random() < 0.5");
    }

    internal override async Task VandalizeAsync(DbConnection connection, Random random)
    {
        await using var transaction = await connection.BeginTransactionAsync();
        await using var command = connection.CreateCommand();
        command.CommandText = random.Next(3) == 0
            ? "lock table errand_tasks in share row exclusive mode"
            : "select count(*) from errand_tasks, (select 1 from errand_finished limit 100) as some";
        await command.ExecuteNonQueryAsync();
        await Task.Delay(random.Next(20, 900), CancellationToken.None);
    }
}
