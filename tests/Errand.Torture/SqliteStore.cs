using System.Data.Common;
using Errand.Sqlite;
using Microsoft.Data.Sqlite;

namespace Errand.Torture;

internal sealed class SqliteStore(string path, Durability durability) : Store
{
    internal override string FinalsSql =>
        """
        select id, state, epoch, attempt, cast(cast(result as text) as integer),
               (select count(*) from effects where effects.task = ended.id and effects.epoch = ended.epoch),
               (select count(*) from effects where effects.task = ended.id and effects.epoch <> ended.epoch),
               started, finished, (select group_concat(epoch || ':' || started) from errand_attempts where task = ended.id)
        from   errand_finished as ended
        """;

    internal override IReadOnlyList<(string Sql, object Answer)> Checks =>
    [
        ("pragma integrity_check", "ok"),
        ("select count(*) from pragma_foreign_key_check", 0L),
        ("select count(*) from errand_tasks", 0L),
        ("select count(*) from errand_finished where id in (select id from errand_tasks)", 0L),
        ("select count(*) from errand_workers where id not in (select worker from errand_worker_names)", 0L),
    ];

    public override string ToString() => $"{durability}:{path}";

    internal static new SqliteStore Parse(string text)
    {
        var parts = text.Split(':', 2);
        return new SqliteStore(parts[1], Enum.Parse<Durability>(parts[0]));
    }

    internal override IReadOnlyList<CrashPoint> EnginePoints => [CrashPoint.Commit, CrashPoint.Checkpoint, CrashPoint.Migration];

    /// <summary>With checkpoints often enough for a short run to have many.</summary>
    internal override IBackend Open(Crash? crash = null, bool isSilent = false)
    {
        if (isSilent)
        {
            Array.ForEach(Directory.GetFiles(Path.GetDirectoryName(path)!, "*.wake"), File.Delete);
        }

        return new SqliteBackend(
            path, new SqliteBackendOptions { Durability = durability, CheckpointPages = 200, Reached = crash is null ? null : crash.At });
    }

    internal override async Task<DbConnection> ConnectAsync()
    {
        var connection = new SqliteConnection(new SqliteConnectionStringBuilder
        {
            DataSource = path, Mode = SqliteOpenMode.ReadWrite, Pooling = false, DefaultTimeout = 5,
        }.ConnectionString);
        await connection.OpenAsync();
        await using var command = connection.CreateCommand();
        command.CommandText = "pragma wal_autocheckpoint = 0";
        await command.ExecuteNonQueryAsync();
        return connection;
    }

    internal override async Task<bool> CanBeWrittenAsync()
    {
        await using var connection = (SqliteConnection)await ConnectAsync();
        connection.DefaultTimeout = 1; // Seconds: longer than the vandal holds it.
        try
        {
            await using var transaction = connection.BeginTransaction(deferred: false);
            return true;
        }
        catch (SqliteException)
        {
            return false;
        }
    }

    internal override async Task VandalizeAsync(DbConnection connection, Random random)
    {
        await using var transaction = ((SqliteConnection)connection).BeginTransaction(deferred: random.Next(3) != 0);
        await using var command = connection.CreateCommand();
        command.CommandText = "select count(*) from errand_tasks, (select 1 from errand_finished limit 100)";
        await command.ExecuteScalarAsync();
        await Task.Delay(random.Next(20, 900), CancellationToken.None);
    }
}
