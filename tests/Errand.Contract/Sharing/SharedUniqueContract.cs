namespace Errand.Contract;

/// <summary>Unique keys across two backends of one store and in callers' transactions.</summary>
public abstract class SharedUniqueContract<TStore> : SharedStoreTest<TStore>
    where TStore : SharedStore, new()
{
    [Fact]
    public async Task Racing_callers_of_two_backends_make_one_task()
    {
        var backend = Live();
        await backend.InitializeAsync(Token);
        await using var other = Store.CreateBeside(backend);
        var answers = await Task.WhenAll(Enumerable.Range(0, 200).Select(n => Task.Run(async () =>
            (await (n % 2 == 0 ? backend : other).EnqueueAsync([Task1() with { UniqueKey = "race" }], Token))[0])));

        Assert.Single(answers, one => one.IsNew);
        Assert.Single(answers.Select(one => one.Id).Distinct());
    }

    [Fact]
    public async Task A_unique_key_of_a_transaction_that_rolls_back_is_free()
    {
        var backend = Live();
        await using var connection = await CallerAsync(backend);
        var task = Task1() with { UniqueKey = "k", UniqueFor = TimeSpan.FromHours(1) };
        await using (var transaction = await connection.BeginTransactionAsync(Token))
        {
            Assert.True((await backend.EnqueueInAsync([task], transaction, Token))[0].IsNew);
            Assert.False((await backend.EnqueueInAsync([task], transaction, Token))[0].IsNew);
            await transaction.RollbackAsync(Token);
        }

        var added = (await backend.EnqueueAsync([task], Token))[0];
        Assert.True(added.IsNew);
        await using (var transaction = await connection.BeginTransactionAsync(Token))
        {
            Assert.Equal(added with { IsNew = false }, (await backend.EnqueueInAsync([task], transaction, Token))[0]);
            await transaction.CommitAsync(Token);
        }
    }
}
