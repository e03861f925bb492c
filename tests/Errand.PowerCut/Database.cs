using System.Globalization;
using System.Text;
using Microsoft.Data.Sqlite;

namespace Errand.PowerCut;

/// <summary>A file as any other program sees it: with SQLite's own file system, and without Errand.</summary>
internal static class Database
{
    // What a step may change without a caller being able to tell is left out: counters, processes, hosts.
    private static readonly (string Table, string Sql)[] Tables =
    [
        ("names", "select * from errand_names order by id"),
        ("tasks", "select * from errand_tasks order by id"),
        ("finished", "select * from errand_finished order by id"),
        ("workers", "select id, beat from errand_workers order by id"),
        ("worker_names", "select * from errand_worker_names order by worker, name"),
    ];

    /// <summary>All that it holds, as text; empty when it has no tables.</summary>
    internal static string Dump(string path)
    {
        using var connection = Open(path);
        return Dump(connection);
    }

    /// <summary>The same of a file that may be damaged.</summary>
    internal static (string Integrity, string Dump) Examine(string path)
    {
        using var connection = Open(path);
        return ((string)Scalar(connection, "pragma integrity_check")!, Dump(connection));
    }

    /// <summary>The ids in one table of a dump.</summary>
    internal static IEnumerable<long> IdsIn(string dump, string table) =>
        from line in dump.Split('\n')
        where line.StartsWith(table + ":", StringComparison.Ordinal)
        select long.Parse(line.Split(' ')[1], CultureInfo.InvariantCulture);

    private static string Dump(SqliteConnection connection)
    {
        if (Equals(Scalar(connection, "select count(*) from sqlite_schema"), 0L))
        {
            return "";
        }

        var text = new StringBuilder();
        foreach (var (table, sql) in Tables)
        {
            Append(text, connection, table, sql);
        }

        return text.ToString();
    }

    private static SqliteConnection Open(string path)
    {
        var connection = new SqliteConnection(
            new SqliteConnectionStringBuilder { DataSource = path, Pooling = false }.ConnectionString);
        connection.Open();
        return connection;
    }

    private static object? Scalar(SqliteConnection connection, string sql)
    {
        using var command = connection.CreateCommand();
        command.CommandText = sql;
        return command.ExecuteScalar();
    }

    private static void Append(StringBuilder text, SqliteConnection connection, string table, string sql)
    {
        using var command = connection.CreateCommand();
        command.CommandText = sql;
        using var rows = command.ExecuteReader();
        var values = new object[rows.FieldCount];
        while (rows.Read())
        {
            rows.GetValues(values);
            text.Append(table).AppendJoin(' ', values.Select(Text).Prepend(":")).Append('\n');
        }
    }

    private static string Text(object value) => value switch
    {
        byte[] { Length: > 16 } bytes => $"{bytes.Length}#{Convert.ToHexString(System.Security.Cryptography.SHA256.HashData(bytes))}",
        byte[] bytes => Convert.ToHexString(bytes),
        DBNull => "null",
        _ => Convert.ToString(value, CultureInfo.InvariantCulture)!,
    };
}
