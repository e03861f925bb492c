using System.Text.Json;
using Errand.Bench.Postgres;
using Npgsql;

namespace Errand.Bench.Baselines;

/// <summary>
/// A queue as one writes it by hand in an afternoon: one table, a statement that is its own transaction for each step,
/// prepared by itself, on any of sixteen pooled connections. It promises far less than Errand: no lease, no fence, no
/// retry.
/// </summary>
internal sealed class PostgresNaiveQueue : IAsyncDisposable
{
    // language=postgresql
    private const string Schema = """
        create table tasks (
            id       bigint generated always as identity primary key,
            queue    text not null,
            name     text not null,
            state    smallint not null,        -- 0 pending, 1 running, 2 succeeded
            due      bigint not null,
            attempts integer not null,
            enqueued bigint not null,
            started  bigint,
            finished bigint,
            payload  text not null,
            result   text
        );
        create index tasks_ready on tasks (queue, due, id) where state = 0;
        """;

    private readonly NpgsqlDataSource _source;

    private PostgresNaiveQueue(NpgsqlDataSource source) => _source = source;

    private static long Now => DateTimeOffset.UtcNow.ToUnixTimeMilliseconds();

    internal static async Task<PostgresNaiveQueue> CreateAsync(ServerPlace place) =>
        new(await place.ConnectAsync(PostgresRaw.Connections, Schema));

    // language=postgresql
    private const string InsertSql = """
        insert into tasks (queue, name, state, due, attempts, enqueued, payload)
        values (@queue, @name, 0, @now, 0, @now, @payload)
        """;

    internal async Task EnqueueAsync(Note note)
    {
        await using var command = _source.CreateCommand(InsertSql);
        command.Parameters.AddWithValue("queue", "default");
        command.Parameters.AddWithValue("name", "note");
        command.Parameters.AddWithValue("now", Now);
        command.Parameters.AddWithValue("payload", JsonSerializer.Serialize(note));
        await command.ExecuteNonQueryAsync();
    }

    // language=postgresql
    private const string ReserveSql = """
        update tasks
        set    state = 1, started = @now, attempts = attempts + 1
        where  id = (
            select id
            from   tasks
            where  state = 0 and queue = @queue and due <= @now
            order by due, id
            limit  1
            for update skip locked)
        returning id, payload
        """;

    internal async Task<(long Id, Note Note)?> ReserveAsync()
    {
        await using var command = _source.CreateCommand(ReserveSql);
        command.Parameters.AddWithValue("queue", "default");
        command.Parameters.AddWithValue("now", Now);
        await using var reader = await command.ExecuteReaderAsync();
        if (!await reader.ReadAsync())
        {
            return null;
        }

        var note = JsonSerializer.Deserialize<Note>(reader.GetString(1));
        return (reader.GetInt64(0), note ?? throw new JsonException("The payload is null."));
    }

    // language=postgresql
    private const string SucceedSql = """
        update tasks
        set    state = 2, finished = @now, result = @result
        where  id = @id
        """;

    internal async Task MarkSuccessAsync(long id, Receipt receipt)
    {
        await using var command = _source.CreateCommand(SucceedSql);
        command.Parameters.AddWithValue("id", id);
        command.Parameters.AddWithValue("now", Now);
        command.Parameters.AddWithValue("result", JsonSerializer.Serialize(receipt));
        await command.ExecuteNonQueryAsync();
    }

    public ValueTask DisposeAsync() => _source.DisposeAsync();
}
