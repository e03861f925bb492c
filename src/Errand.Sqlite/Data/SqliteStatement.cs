using System.Text;
using SQLitePCL;

namespace Errand.Sqlite.Data;

/// <summary>
/// A statement that is prepared once and run often. Parameters are given in the order in which the statement first
/// names them.
/// </summary>
internal sealed class SqliteStatement : IDisposable
{
    private readonly SqliteDatabase _database;
    private readonly sqlite3_stmt _statement;
    private int _parameter;

    internal SqliteStatement(SqliteDatabase database, sqlite3_stmt statement)
    {
        _database = database;
        _statement = statement;
    }

    internal SqliteStatement With(long value)
    {
        Check(raw.sqlite3_bind_int64(_statement, ++_parameter, value));
        return this;
    }

    internal SqliteStatement With(long? value)
    {
        Check(value is { } given
            ? raw.sqlite3_bind_int64(_statement, ++_parameter, given)
            : raw.sqlite3_bind_null(_statement, ++_parameter));
        return this;
    }

    internal SqliteStatement With(double? value)
    {
        Check(value is { } given
            ? raw.sqlite3_bind_double(_statement, ++_parameter, given)
            : raw.sqlite3_bind_null(_statement, ++_parameter));
        return this;
    }

    internal SqliteStatement With(string? value)
    {
        // By bytes: a string may hold NUL.
        Check(value is null
            ? raw.sqlite3_bind_null(_statement, ++_parameter)
            : raw.sqlite3_bind_text(_statement, ++_parameter, Encoding.UTF8.GetBytes(value)));
        return this;
    }

    internal SqliteStatement With(ReadOnlySpan<byte> value)
    {
        Check(raw.sqlite3_bind_blob(_statement, ++_parameter, value));
        return this;
    }

    /// <summary>
    /// Goes to the next row. After the last, and on an error, the statement is ready to be run again.
    /// </summary>
    internal bool Step()
    {
        var code = raw.sqlite3_step(_statement);
        if (code == raw.SQLITE_ROW)
        {
            return true;
        }

        // The reset of a failed statement repeats its code, so the message is read first.
        var error = code == raw.SQLITE_DONE ? null : _database.Error(code);
        Reset();
        return error is null ? false : throw error;
    }

    /// <summary>Runs to the end.</summary>
    /// <returns>How many rows were changed.</returns>
    internal int Execute()
    {
        while (Step())
        {
        }

        return _database.Changes;
    }

    /// <summary>Runs to the end.</summary>
    /// <returns>The first column of the first row; null when there is none or it is null.</returns>
    internal long? Scalar()
    {
        long? value = null;
        if (Step())
        {
            value = IsNull(0) ? null : Int64(0);
            Execute(); // A statement outside a transaction commits after its last row, and that can fail.
        }

        return value;
    }

    /// <summary>Ends a run before its last row.</summary>
    internal void Reset()
    {
        _parameter = 0;
        raw.sqlite3_reset(_statement);
    }

    internal bool IsNull(int column) => raw.sqlite3_column_type(_statement, column) == raw.SQLITE_NULL;

    internal long Int64(int column) => raw.sqlite3_column_int64(_statement, column);

    internal int Int32(int column) => raw.sqlite3_column_int(_statement, column);

    internal double Double(int column) => raw.sqlite3_column_double(_statement, column);

    internal DateTimeOffset Time(int column) => DateTimeOffset.FromUnixTimeMilliseconds(Int64(column));

    internal byte[] Blob(int column) => raw.sqlite3_column_blob(_statement, column).ToArray();

    internal string Text(int column) => Encoding.UTF8.GetString(raw.sqlite3_column_blob(_statement, column));

    public void Dispose() => _statement.Dispose();

    private void Check(int code)
    {
        if (code != raw.SQLITE_OK)
        {
            var error = _database.Error(code);
            Reset();
            throw error;
        }
    }
}
