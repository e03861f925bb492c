using Npgsql;
using NpgsqlTypes;

namespace Errand.PostgreSql.Engine;

/// <summary>
/// Statements that are sent together, in one round trip and, outside a transaction of the caller's, as one transaction.
/// Every statement gives rows, if only none of them, so that answers and statements keep their pace.
/// </summary>
internal sealed class TurnBatch(NpgsqlConnection connection, PostgresStore store, NpgsqlTransaction? transaction = null)
    : IAsyncDisposable
{
    private readonly NpgsqlBatch _batch = new(connection, transaction) { Timeout = store.CommandTimeout };
    private readonly List<Action<NpgsqlDataReader>> _readers = [];

    internal bool IsEmpty => _readers.Count == 0;

    /// <summary>Adds a statement.</summary>
    /// <param name="sql">A constant, with the schema named <c>errand</c>.</param>
    /// <param name="row">What is done with each row of its answer.</param>
    internal TurnBatch Add(string sql, Action<NpgsqlDataReader> row)
    {
        _batch.BatchCommands.Add(new NpgsqlBatchCommand(store.Sql(sql)));
        _readers.Add(row);
        return this;
    }

    /// <summary>Puts a statement before all that there are; where there are none, it is not needed.</summary>
    internal void Precede(string sql, string name, string value)
    {
        if (!IsEmpty)
        {
            _batch.BatchCommands.Insert(
                0, new NpgsqlBatchCommand(sql) { Parameters = { new NpgsqlParameter<string>(name, value) } });
            _readers.Insert(0, _ => { });
        }
    }

    /// <summary>Gives the newest statement a parameter.</summary>
    internal TurnBatch With<T>(string name, T value)
    {
        _batch.BatchCommands[^1].Parameters.Add(new NpgsqlParameter<T>(name, value));
        return this;
    }

    /// <summary>Gives the newest statement a number or null.</summary>
    internal TurnBatch With(string name, long? value)
    {
        _batch.BatchCommands[^1].Parameters.Add(
            new NpgsqlParameter(name, NpgsqlDbType.Bigint) { Value = value is { } given ? given : DBNull.Value });
        return this;
    }

    /// <summary>Sends all of it, and reads every answer; returns after the commit.</summary>
    /// <exception cref="BackendException">
    /// None of it was done; or the connection was lost, and nobody knows.
    /// </exception>
    internal async Task RunAsync()
    {
        if (IsEmpty)
        {
            return;
        }

        try
        {
            var reader = await _batch.ExecuteReaderAsync().ConfigureAwait(false);
            await using (reader.ConfigureAwait(false))
            {
                foreach (var row in _readers)
                {
                    while (await reader.ReadAsync().ConfigureAwait(false))
                    {
                        row(reader);
                    }

                    await reader.NextResultAsync().ConfigureAwait(false);
                }
            }
        }
        catch (Exception e) when (PostgresErrors.IsOurs(e))
        {
            throw PostgresErrors.From(e, store.Name);
        }
    }

    public ValueTask DisposeAsync() => _batch.DisposeAsync();
}
