using Errand.Contract;

namespace Errand.Sqlite.Tests;

public sealed class NamedIdFileTests : NamedIds<SqliteFull>;

public sealed class NamedIdMemoryTests : NamedIds<SqliteMemory>;

/// <summary>Ids are given out in blocks, and a caller can name one of a block before it is given to anybody.</summary>
public abstract class NamedIds<TStore> : StoreTest<TStore>
    where TStore : Store, new()
{
    [Fact]
    public async Task A_task_whose_id_somebody_else_has_named_before_is_enqueued_with_another_id()
    {
        var backend = Live();
        var first = await backend.NewIdAsync(Token);
        HashSet<TaskId> strays = [];
        for (var i = 2; i < 6; i++)
        {
            try
            {
                strays.Add((await backend.EnqueueAsync(
                    [Task1() with { Id = new TaskId(first.Value + i), Payload = "\"stray\""u8.ToArray() }], Token))[0].Id);
            }
            catch (ArgumentException)
            {
                // Never given out: right as well.
            }
        }

        var innocent = await Task.WhenAll(Enumerable.Range(0, 20).Select(async _ =>
            (await backend.EnqueueAsync([Task1() with { Payload = "\"innocent\""u8.ToArray() }], Token))[0]));

        Assert.All(innocent, task => Assert.True(task.IsNew));
        Assert.Equal(20, innocent.Select(task => task.Id).Except(strays).Distinct().Count());
        var owner = await BeginAsync(backend);
        var taken = await TakeAsync(backend, owner);
        Assert.Equal(20, taken.Count(task => task.Payload.Span.SequenceEqual("\"innocent\""u8)));
        Assert.Equal(strays.Count, taken.Count(task => task.Payload.Span.SequenceEqual("\"stray\""u8)));
        Assert.DoesNotContain(await backend.NewIdAsync(Token), innocent.Select(task => task.Id).Concat(strays));
    }

    [Fact]
    public async Task An_id_that_was_named_too_early_and_has_finished_is_given_to_no_other_task()
    {
        var backend = Live();
        var owner = await BeginAsync(backend);
        var first = await backend.NewIdAsync(Token);
        var stray = new TaskId(first.Value + 2);
        try
        {
            await backend.EnqueueAsync([Task1() with { Id = stray }], Token);
        }
        catch (ArgumentException)
        {
            return; // Never given out: right as well.
        }

        Assert.True(await backend.MarkSuccessAsync((await TakeOneAsync(backend, owner)).Lease, "1"u8.ToArray(), Token));
        var ids = await AddManyAsync(backend, 5);
        Assert.DoesNotContain(stray, ids);
        foreach (var task in await TakeAsync(backend, owner))
        {
            Assert.True(await backend.MarkSuccessAsync(task.Lease, "2"u8.ToArray(), Token));
        }

        Assert.All(ids, id => Assert.NotEqual(stray, id));
        Assert.Equal("1"u8.ToArray(), (await backend.GetResultAsync(stray, TimeSpan.Zero, Token))!.Value.ToArray());
    }

    [Fact]
    public async Task Another_process_names_ids_of_this_ones_block_and_neither_loses_a_task()
    {
        if (Store is not SharedStore shared)
        {
            return; // In memory there is no other process.
        }

        var backend = Live();
        var first = await backend.NewIdAsync(Token);
        await AddAsync(backend);
        await using var other = shared.CreateBeside(backend);
        var named = Enumerable.Range(3, 5).Select(i => new TaskId(first.Value + i)).ToArray();
        await other.EnqueueAsync([.. named.Select(id => Task1() with { Id = id })], Token);
        var finisher = await BeginAsync(other);
        foreach (var task in await TakeAsync(other, finisher, max: 3))
        {
            await other.MarkSuccessAsync(task.Lease, default, Token);
        }

        var ids = await AddManyAsync(backend, 10);

        Assert.Empty(ids.Intersect(named));
        var owner = await BeginAsync(backend);
        foreach (var task in await TakeAsync(backend, owner))
        {
            Assert.True(await backend.MarkSuccessAsync(task.Lease, default, Token));
        }

        Assert.Equal(10, (await InspectorOf(backend).ListAsync(cancellationToken: Token)).Tasks.Count(task => ids.Contains(task.Id)));
    }
}
