namespace Errand.Sqlite.Data;

/// <summary>What SQLite itself said; always inside a <see cref="BackendException"/>.</summary>
internal sealed class SqliteErrorException(int code, string detail) : Exception($"SQLite error {code}: {detail}.")
{
    /// <summary>The extended result code, https://www.sqlite.org/rescode.html.</summary>
    internal int Code { get; } = code;
}
