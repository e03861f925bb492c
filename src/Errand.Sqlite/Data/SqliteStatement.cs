using System.Text;
using SQLitePCL;

namespace Errand.Sqlite.Data;

/// <summary>
/// A statement that is prepared once and run often. Parameters are given in the order in which the statement first
/// names them.
/// </summary>
internal sealed unsafe class SqliteStatement : IDisposable
{
    private const int CopiedAtOnce = 4_096; // Bytes: while more are copied, the garbage collector must not wait.
    private readonly SqliteDatabase _database;
    private readonly sqlite3_stmt _statement;
    private readonly nint _handle; // The same, for the direct calls.
    private int _parameter;

    internal SqliteStatement(SqliteDatabase database, sqlite3_stmt statement)
    {
        _database = database;
        _statement = statement;
        _handle = statement.DangerousGetHandle();
    }

    internal SqliteStatement With(long value)
    {
        Check(Native.BindInt64(_handle, ++_parameter, value));
        return this;
    }

    internal SqliteStatement With(long? value)
    {
        Check(value is { } given
            ? Native.BindInt64(_handle, ++_parameter, given)
            : Native.BindNull(_handle, ++_parameter));
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
        if (value.Length is 0 or > CopiedAtOnce)
        {
            Check(raw.sqlite3_bind_blob(_statement, ++_parameter, value));
            return this;
        }

        fixed (byte* bytes = value)
        {
            Check(Native.BindBlob(_handle, ++_parameter, bytes, value.Length, Native.Transient));
        }

        return this;
    }

    /// <summary>
    /// Goes to the next row. After the last, and on an error, the statement is ready to be run again.
    /// </summary>
    internal bool Step()
    {
        var code = Native.Step(_handle);
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
        Native.Reset(_handle);
    }

    internal bool IsNull(int column) => Native.ColumnType(_handle, column) == raw.SQLITE_NULL;

    internal long Int64(int column) => Native.ColumnInt64(_handle, column);

    internal int Int32(int column) => (int)Native.ColumnInt64(_handle, column);

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
