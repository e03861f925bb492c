using System.Data.Common;

namespace Errand.Contract;

/// <summary>The base of the tests of a store that other connections can reach.</summary>
/// <typeparam name="TStore">The store.</typeparam>
public abstract class SharedStoreTest<TStore> : StoreTest<TStore>
    where TStore : SharedStore, new()
{
    protected async Task<DbConnection> CallerAsync(IBackend backend)
    {
        await backend.InitializeAsync(Token);
        var connection = await Store.ConnectAsync(backend);
        await ExecuteAsync(connection, null, "create table notes (id bigint primary key)");
        return connection;
    }

    protected static async Task<object?> ExecuteAsync(DbConnection connection, DbTransaction? transaction, string sql)
    {
        await using var command = connection.CreateCommand();
        command.Transaction = transaction;
        command.CommandText = sql;
        return await command.ExecuteScalarAsync(Token);
    }

    protected static async Task<TaskId> AddInAsync(IBackend backend, DbTransaction transaction, NewTask? task = null) =>
        (await backend.EnqueueInAsync([task ?? Task1()], transaction, Token))[0].Id;

    protected static Task<TaskNotFoundException> IsAbsentAsync(IBackend backend, TaskId id) =>
        Assert.ThrowsAsync<TaskNotFoundException>(() => backend.GetResultAsync(id, TimeSpan.Zero, Token).AsTask());

    protected static async Task IsLiveAsync(IBackend backend, TaskId id) =>
        Assert.Null(await backend.GetResultAsync(id, TimeSpan.Zero, Token));
}
