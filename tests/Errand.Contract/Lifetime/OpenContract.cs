namespace Errand.Contract;

/// <summary>Opening a store.</summary>
public abstract class OpenContract<TStore> : StoreTest<TStore>
    where TStore : Store, new()
{
    [Fact]
    public async Task Initialize_is_idempotent_and_implicit_in_the_first_use()
    {
        var backend = Live();
        var id = await AddAsync(backend);

        await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => backend.InitializeAsync(Token).AsTask()));
        await backend.InitializeAsync(Token);

        var owner = await BeginAsync(backend);
        Assert.Equal(id, (await TakeOneAsync(backend, owner)).Lease.Id);
    }

    [Fact]
    public async Task Every_method_sees_the_same_schema_and_data_and_data_outlives_each_call()
    {
        var backend = Live();
        await backend.InitializeAsync(Token);
        var id = await Task.Run(() => AddAsync(backend));
        var owner = await Task.Run(() => BeginAsync(backend).AsTask());
        var task = await Task.Run(() => TakeOneAsync(backend, owner));
        Assert.Equal(id, task.Lease.Id);
        Assert.True(await Task.Run(() => backend.Heartbeat(owner)));
        Assert.True(await Task.Run(() => backend.MarkSuccessAsync(task.Lease, Json("1"), Token).AsTask()));

        var result = await Task.Run(() => backend.GetResultAsync(id, TimeSpan.Zero, Token).AsTask());

        Assert.Equal(TaskState.Succeeded, result?.State);
    }
}
