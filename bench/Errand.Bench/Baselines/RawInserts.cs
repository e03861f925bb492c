using System.Diagnostics;
using System.Text.Json;
using SQLitePCL;

namespace Errand.Bench.Baselines;

/// <summary>
/// The limit of what SQLite gives to a .NET program ("A2"): one transaction of prepared single-row inserts through
/// SQLitePCLRaw, commit and its sync included, without a checkpoint.
/// </summary>
internal static class RawInserts
{
    // Never changed, whatever becomes of Errand's own tables: ratios to this limit are compared over years.
    // language=sqlite
    private const string FrozenSchema = """
        create table tasks (
            id           integer primary key,
            queue        text not null,
            name         text not null,
            state        integer not null,
            priority     integer not null,
            due          integer not null,
            attempt      integer not null,
            max_attempts integer not null,
            epoch        integer not null,
            owner        text,
            lease_until  integer,
            enqueued     integer not null,
            started      integer,
            finished     integer,
            payload      blob not null,
            result       blob,
            error        text
        ) strict;
        create index tasks_ready on tasks (queue, priority, due, id) where state = 0;
        create index tasks_leased on tasks (lease_until) where state = 1;
        """;

    // As frozen as the schema.
    // language=sqlite
    private const string FrozenInsert = """
        insert into tasks (id, queue, name, state, priority, due, attempt, max_attempts, epoch, enqueued, payload)
        values (?1, ?2, ?3, 0, ?4, ?5, 0, ?6, 0, ?7, ?8)
        """;

    private const int ColumnsOfARow = 8;
    private const int RowsOfAStatement = 16;

    /// <summary>The same insert of sixteen rows.</summary>
    private static readonly string SixteenRows = FrozenInsert[..FrozenInsert.IndexOf("values", StringComparison.Ordinal)] + "values "
        + string.Join(", ", Enumerable.Range(0, RowsOfAStatement).Select(row => row * ColumnsOfARow).Select(
            first => $"(?{first + 1}, ?{first + 2}, ?{first + 3}, 0, ?{first + 4}, ?{first + 5}, 0, ?{first + 6}, 0, ?{first + 7}, ?{first + 8})"));

    /// <summary>A row in each statement.</summary>
    internal static Task<double[]> MeasureAsync(Place place, int tasks) => MeasureAsync(place, tasks, FrozenInsert, rows: 1);

    /// <summary>Sixteen rows in each statement; what is over is left out.</summary>
    internal static Task<double[]> MeasureBySixteenAsync(Place place, int tasks) =>
        MeasureAsync(place, tasks / RowsOfAStatement * RowsOfAStatement, SixteenRows, RowsOfAStatement);

    private static Task<double[]> MeasureAsync(Place place, int tasks, string statement, int rows)
    {
        var payload = JsonSerializer.SerializeToUtf8Bytes(Note.At(tasks));
        var flags = raw.SQLITE_OPEN_READWRITE | raw.SQLITE_OPEN_CREATE | raw.SQLITE_OPEN_NOMUTEX;
        Check(raw.sqlite3_open_v2(place.Path, out var opened, flags, null));
        using var database = opened;
        Check(raw.sqlite3_exec(database, place.Store.Pragmas + "pragma wal_autocheckpoint = 0;" + FrozenSchema));
        Check(raw.sqlite3_prepare_v2(database, statement, out var prepared));
        using var insert = prepared;

        var watch = Stopwatch.StartNew();
        Check(raw.sqlite3_exec(database, "begin immediate"));
        for (var id = 1; id <= tasks; id += rows)
        {
            for (var row = 0; row < rows; row++)
            {
                Bind(insert, row * ColumnsOfARow, id + row, payload);
            }

            Check(raw.sqlite3_step(insert), raw.SQLITE_DONE);
            raw.sqlite3_reset(insert);
        }

        Check(raw.sqlite3_exec(database, "commit"));
        return Task.FromResult<double[]>([tasks / watch.Elapsed.TotalSeconds]);
    }

    private static void Bind(sqlite3_stmt insert, int before, long id, ReadOnlySpan<byte> payload)
    {
        const long Now = 1_767_225_600_000; // As wide as a time is.
        raw.sqlite3_bind_int64(insert, before + 1, id);
        raw.sqlite3_bind_text(insert, before + 2, "default"u8);
        raw.sqlite3_bind_text(insert, before + 3, "note"u8);
        raw.sqlite3_bind_int64(insert, before + 4, 0);
        raw.sqlite3_bind_int64(insert, before + 5, Now + id);
        raw.sqlite3_bind_int64(insert, before + 6, 5);
        raw.sqlite3_bind_int64(insert, before + 7, Now);
        raw.sqlite3_bind_blob(insert, before + 8, payload);
    }

    private static void Check(int code, int wanted = raw.SQLITE_OK)
    {
        if (code != wanted)
        {
            throw new InvalidOperationException($"SQLite gave {raw.sqlite3_errstr(code).utf8_to_string()}.");
        }
    }
}
