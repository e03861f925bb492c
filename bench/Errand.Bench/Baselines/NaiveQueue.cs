using System.Text.Json;
using Microsoft.Data.Sqlite;

namespace Errand.Bench.Baselines;

/// <summary>
/// A queue as one writes it by hand in an afternoon: Microsoft.Data.Sqlite, one table, one connection behind a lock, a
/// command and a transaction for each step. It promises far less than Errand: no lease, no fence, no retry.
/// </summary>
internal sealed class NaiveQueue : IDisposable
{
    // language=sqlite
    private const string Schema = """
        create table tasks (
            id       integer primary key autoincrement,
            queue    text not null,
            name     text not null,
            state    integer not null,         -- 0 pending, 1 running, 2 succeeded
            due      integer not null,
            attempts integer not null,
            enqueued integer not null,
            started  integer,
            finished integer,
            payload  text not null,
            result   text
        );
        create index tasks_state on tasks (state, queue, due);
        """;

    private readonly SqliteConnection _connection;
    private readonly Lock _lock = new(); // Over the connection: in memory there can be no second one.

    internal NaiveQueue(Place place)
    {
        _connection = new SqliteConnection($"Data Source={place.Path};Pooling=False");
        _connection.Open();
        using var command = _connection.CreateCommand();
        command.CommandText = place.Store.Pragmas + Schema;
        command.ExecuteNonQuery();
    }

    private static long Now => DateTimeOffset.UtcNow.ToUnixTimeMilliseconds();

    // language=sqlite
    private const string InsertSql = """
        insert into tasks (queue, name, state, due, attempts, enqueued, payload)
        values (@queue, @name, 0, @now, 0, @now, @payload)
        """;

    internal void Enqueue(Note note)
    {
        var payload = JsonSerializer.Serialize(note);
        lock (_lock)
        {
            using var transaction = _connection.BeginTransaction();
            using var command = Command(InsertSql, transaction);
            command.Parameters.AddWithValue("@queue", "default");
            command.Parameters.AddWithValue("@name", "note");
            command.Parameters.AddWithValue("@now", Now);
            command.Parameters.AddWithValue("@payload", payload);
            command.ExecuteNonQuery();
            transaction.Commit();
        }
    }

    // language=sqlite
    private const string ReserveSql = """
        update tasks
        set    state = 1, started = @now, attempts = attempts + 1
        where  id = (select id from tasks where state = 0 and queue = @queue and due <= @now order by due, id limit 1)
        returning id, payload
        """;

    internal (long Id, Note Note)? Reserve()
    {
        long id;
        string payload;
        lock (_lock)
        {
            using var transaction = _connection.BeginTransaction();
            using var command = Command(ReserveSql, transaction);
            command.Parameters.AddWithValue("@queue", "default");
            command.Parameters.AddWithValue("@now", Now);
            using (var reader = command.ExecuteReader())
            {
                if (!reader.Read())
                {
                    return null;
                }

                (id, payload) = (reader.GetInt64(0), reader.GetString(1));
            }

            transaction.Commit();
        }

        return (id, JsonSerializer.Deserialize<Note>(payload) ?? throw new JsonException("The payload is null."));
    }

    // language=sqlite
    private const string SucceedSql = """
        update tasks
        set    state = 2, finished = @now, result = @result
        where  id = @id
        """;

    internal void MarkSuccess(long id, Receipt receipt)
    {
        var result = JsonSerializer.Serialize(receipt);
        lock (_lock)
        {
            using var transaction = _connection.BeginTransaction();
            using var command = Command(SucceedSql, transaction);
            command.Parameters.AddWithValue("@id", id);
            command.Parameters.AddWithValue("@now", Now);
            command.Parameters.AddWithValue("@result", result);
            command.ExecuteNonQuery();
            transaction.Commit();
        }
    }

    public void Dispose() => _connection.Dispose();

    private SqliteCommand Command(string sql, SqliteTransaction transaction)
    {
        var command = _connection.CreateCommand();
        command.CommandText = sql;
        command.Transaction = transaction;
        return command;
    }
}
