using System.Diagnostics;
using System.Text.Json;
using Errand.Bench.Postgres;
using Npgsql;
using NpgsqlTypes;

namespace Errand.Bench.Baselines;

/// <summary>What PostgreSQL gives to a .NET program that only inserts: commits and their syncs are included.</summary>
internal static class PostgresRaw
{
    internal const int Connections = 16;

    private const int RowsOfUnnest = 1_000;
    private const int RowsOfCopy = 10_000;
    private const long Now = 1_767_225_600_000; // As wide as a time is.

    // Never changed, whatever becomes of Errand's own tables: ratios to this limit are compared over years.
    // language=postgresql
    private const string FrozenSchema = """
        create table tasks (
            id         bigint primary key,
            due        bigint not null,
            created    bigint not null,
            owner      integer not null,
            queue      integer not null,
            name       integer not null,
            attempt    integer not null,
            priority   smallint not null,
            state      smallint not null,
            unique_key text,
            payload    bytea not null
        );
        create index tasks_ready on tasks (queue, priority, due, id) where state = 0;
        create index tasks_scheduled on tasks (due) where state = 1;
        create index tasks_running on tasks (owner) where state = 3;
        create unique index tasks_unique on tasks (queue, unique_key) where unique_key is not null;
        """;

    // As frozen as the schema. language=postgresql
    private const string FrozenUnnest = """
        insert into tasks (id, due, created, owner, queue, name, attempt, priority, state, payload)
        select id, due, due, 0, 1, 1, 0, 0, 0, payload
        from   unnest(@ids, @dues, @payloads) as new (id, due, payload)
        """;

    // As frozen as the schema. language=postgresql
    private const string FrozenInsert = """
        insert into tasks (id, due, created, owner, queue, name, attempt, priority, state, payload)
        values (@id, @due, @due, 0, 1, 1, 0, 0, 0, @payload)
        """;

    // As frozen as the schema. language=postgresql
    private const string FrozenCopy = """
        copy tasks (id, due, created, owner, queue, name, attempt, priority, state, payload) from stdin (format binary)
        """;

    private static byte[] Payload { get; } = JsonSerializer.SerializeToUtf8Bytes(Note.At(123_456));

    /// <summary>A thousand rows in each transaction, on one connection.</summary>
    internal static async Task<double[]> UnnestAsync(ServerPlace place, int tasks)
    {
        await using var source = await place.ConnectAsync(connections: 1, FrozenSchema);
        await using var connection = await source.OpenConnectionAsync();
        var watch = Stopwatch.StartNew();
        foreach (var ids in Enumerable.Range(1, tasks).Select(id => (long)id).Chunk(RowsOfUnnest))
        {
            await using var command = new NpgsqlCommand(FrozenUnnest, connection);
            command.Parameters.Add(new NpgsqlParameter<long[]>("ids", ids));
            command.Parameters.Add(new NpgsqlParameter<long[]>("dues", Array.ConvertAll(ids, id => Now + id)));
            command.Parameters.Add(new NpgsqlParameter<byte[][]>("payloads", Array.ConvertAll(ids, _ => Payload)));
            await command.ExecuteNonQueryAsync();
        }

        return [tasks / watch.Elapsed.TotalSeconds];
    }

    /// <summary>Ten thousand rows in each transaction, on one connection.</summary>
    internal static async Task<double[]> CopyAsync(ServerPlace place, int tasks)
    {
        await using var source = await place.ConnectAsync(connections: 1, FrozenSchema);
        await using var connection = await source.OpenConnectionAsync();
        var watch = Stopwatch.StartNew();
        foreach (var ids in Enumerable.Range(1, tasks).Chunk(RowsOfCopy))
        {
            await using var import = await connection.BeginBinaryImportAsync(FrozenCopy);
            foreach (var id in ids)
            {
                await CopyRowAsync(import, id);
            }

            await import.CompleteAsync();
        }

        return [tasks / watch.Elapsed.TotalSeconds];
    }

    /// <summary>One row in each transaction, on sixteen connections.</summary>
    internal static async Task<double[]> OneByOneAsync(ServerPlace place, int tasks)
    {
        await using var source = await place.ConnectAsync(Connections, FrozenSchema);
        var next = 0;
        var watch = Stopwatch.StartNew();
        await Task.WhenAll(Enumerable.Range(0, Connections).Select(_ => Task.Run(InsertAsync)));
        return [tasks / watch.Elapsed.TotalSeconds];

        async Task InsertAsync()
        {
            await using var connection = await source.OpenConnectionAsync();
            for (var id = Interlocked.Increment(ref next); id <= tasks; id = Interlocked.Increment(ref next))
            {
                await using var command = new NpgsqlCommand(FrozenInsert, connection);
                command.Parameters.Add(new NpgsqlParameter<long>("id", id));
                command.Parameters.Add(new NpgsqlParameter<long>("due", Now + id));
                command.Parameters.Add(new NpgsqlParameter<byte[]>("payload", Payload));
                await command.ExecuteNonQueryAsync();
            }
        }
    }

    private static async Task CopyRowAsync(NpgsqlBinaryImporter import, long id)
    {
        await import.StartRowAsync();
        await import.WriteAsync(id, NpgsqlDbType.Bigint);
        await import.WriteAsync(Now + id, NpgsqlDbType.Bigint);
        await import.WriteAsync(Now + id, NpgsqlDbType.Bigint);
        await import.WriteAsync(0, NpgsqlDbType.Integer);
        await import.WriteAsync(1, NpgsqlDbType.Integer);
        await import.WriteAsync(1, NpgsqlDbType.Integer);
        await import.WriteAsync(0, NpgsqlDbType.Integer);
        await import.WriteAsync((short)0, NpgsqlDbType.Smallint);
        await import.WriteAsync((short)0, NpgsqlDbType.Smallint);
        await import.WriteAsync(Payload, NpgsqlDbType.Bytea);
    }
}
