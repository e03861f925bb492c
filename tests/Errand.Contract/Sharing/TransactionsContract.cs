using System.Data.Common;

namespace Errand.Contract;

/// <summary>Callers' transactions: a task exists, or is completed, if and only if the transaction commits.</summary>
public abstract class TransactionsContract<TStore> : SharedStoreTest<TStore>
    where TStore : SharedStore, new()
{
    [Fact]
    public async Task A_task_enqueued_in_a_transaction_exists_once_it_commits()
    {
        var backend = Live();
        await using var connection = await CallerAsync(backend);
        TaskId id;
        await using (var transaction = await connection.BeginTransactionAsync(Token))
        {
            await ExecuteAsync(connection, transaction, "insert into notes values (1)");
            id = await AddInAsync(backend, transaction);
            await transaction.CommitAsync(Token);
        }

        await IsLiveAsync(backend, id);
        var owner = await BeginAsync(backend);
        Assert.Equal(id, (await TakeOneAsync(backend, owner)).Lease.Id);
    }

    [Fact]
    public async Task A_task_enqueued_in_a_transaction_that_rolls_back_never_was()
    {
        var backend = Live();
        await using var connection = await CallerAsync(backend);
        TaskId id;
        await using (var transaction = await connection.BeginTransactionAsync(Token))
        {
            id = await AddInAsync(backend, transaction, Task1("name-never-seen", "queue-never-seen"));
            await transaction.RollbackAsync(Token);
        }

        await IsAbsentAsync(backend, id);
        Assert.NotEqual(id, await AddAsync(backend));
        await AddAsync(backend, Task1("name-never-seen", "queue-never-seen")); // What was interned in it is gone as well.
        var owner = await BeginAsync(backend, null, "name-never-seen");
        Assert.Equal("name-never-seen", Assert.Single(await TakeAsync(backend, owner, 5, "queue-never-seen")).Name);
    }

    [Fact]
    public async Task A_savepoint_takes_back_what_was_enqueued_after_it()
    {
        var backend = Live();
        await using var connection = await CallerAsync(backend);
        TaskId kept, dropped;
        await using (var transaction = await connection.BeginTransactionAsync(Token))
        {
            kept = await AddInAsync(backend, transaction);
            await transaction.SaveAsync("here", Token);
            dropped = await AddInAsync(backend, transaction);
            await transaction.RollbackAsync("here", Token);
            await transaction.CommitAsync(Token);
        }

        await IsLiveAsync(backend, kept);
        await IsAbsentAsync(backend, dropped);
    }

    [Fact]
    public async Task A_task_enqueued_in_a_transaction_starts_after_the_commit_and_not_before()
    {
        var backend = Live();
        await using var connection = await CallerAsync(backend);
        var owner = await BeginAsync(backend);
        await using var transaction = await connection.BeginTransactionAsync(Token);
        var id = await AddInAsync(backend, transaction);
        var request = new ReserveRequest { Owner = owner, MaxTasks = 1, Wait = TimeSpan.FromSeconds(30), Queues = [Defaults.Queue] };
        var waiting = backend.ReserveAsync(request, Token).AsTask();
        Assert.False(waiting.IsCompleted);
        await transaction.CommitAsync(Token);
        Assert.Equal(id, Assert.Single(await waiting).Lease.Id);
    }

    [Fact]
    public async Task Many_tasks_in_a_transaction_keep_their_options_and_their_order()
    {
        var backend = Timed();
        await using var connection = await CallerAsync(backend);
        NewTask[] tasks =
        [
            Task1("a"), Task1("b") with { Priority = 5 }, Task1("c") with { Delay = TimeSpan.FromMinutes(1) }, Task1("a"),
        ];
        IReadOnlyList<EnqueuedTask> enqueued;
        await using (var transaction = await connection.BeginTransactionAsync(Token))
        {
            enqueued = await backend.EnqueueInAsync(tasks, transaction, Token);
            await transaction.CommitAsync(Token);
        }

        Assert.All(enqueued, one => Assert.True(one.IsNew));
        var owner = await BeginAsync(backend);
        var ready = await TakeAsync(backend, owner);
        Assert.Equal([enqueued[1].Id, enqueued[0].Id, enqueued[3].Id], ready.Select(task => task.Lease.Id));
        Clock.Advance(TimeSpan.FromMinutes(1));
        Assert.Equal(enqueued[2].Id, (await TakeOneAsync(backend, owner)).Lease.Id);
    }

    [Fact]
    public async Task An_id_had_before_makes_an_enqueue_in_a_transaction_repeatable()
    {
        var backend = Live();
        await using var connection = await CallerAsync(backend);
        var id = await backend.NewIdAsync(Token);
        for (var i = 0; i < 2; i++)
        {
            await using var transaction = await connection.BeginTransactionAsync(Token);
            var enqueued = await backend.EnqueueInAsync([Task1() with { Id = id }], transaction, Token);
            Assert.Equal(new EnqueuedTask { Id = id, IsNew = i == 0 }, Assert.Single(enqueued));
            await transaction.CommitAsync(Token);
        }
    }

    [Fact]
    public async Task A_refused_enqueue_leaves_nothing_and_the_transaction_usable()
    {
        var backend = Live();
        await using var connection = await CallerAsync(backend);
        await using (var transaction = await connection.BeginTransactionAsync(Token))
        {
            await ExecuteAsync(connection, transaction, "insert into notes values (1)");
            await Assert.ThrowsAsync<ArgumentException>(() => backend.EnqueueInAsync(
                [Task1(), Task1() with { Id = new TaskId(1L << 50) }], transaction, Token).AsTask());
            await transaction.CommitAsync(Token);
        }

        Assert.Equal(1L, await ExecuteAsync(connection, null, "select count(*) from notes"));
        var owner = await BeginAsync(backend);
        Assert.Empty(await TakeAsync(backend, owner));
    }

    [Fact]
    public async Task A_transaction_that_has_ended_is_refused()
    {
        var backend = Live();
        await using var connection = await CallerAsync(backend);
        await using var transaction = await connection.BeginTransactionAsync(Token);
        await transaction.CommitAsync(Token);
        await Assert.ThrowsAsync<ArgumentException>(() => AddInAsync(backend, transaction));
    }

    [Fact]
    public async Task A_transaction_on_another_database_is_refused()
    {
        var backend = Live();
        await (await CallerAsync(backend)).DisposeAsync();
        var other = Live();
        await using var connection = await CallerAsync(other);
        await using var transaction = await connection.BeginTransactionAsync(Token);
        var refused = await Assert.ThrowsAsync<ArgumentException>(() => AddInAsync(backend, transaction));
        Assert.Contains("to be committed together", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_transaction_of_another_provider_is_refused()
    {
        var backend = Live();
        var refused = await Assert.ThrowsAnyAsync<Exception>(() => AddInAsync(backend, new ForeignTransaction()));
        Assert.True(refused is ArgumentException or InvalidOperationException, refused.ToString());
    }

    [Fact]
    public async Task A_task_completed_in_a_transaction_has_succeeded_once_it_commits()
    {
        var backend = Live();
        await using var connection = await CallerAsync(backend);
        var id = await AddAsync(backend);
        var lease = (await TakeOneAsync(backend, await BeginAsync(backend))).Lease;
        var waiting = backend.GetResultAsync(id, TimeSpan.FromSeconds(30), Token).AsTask();
        await using (var transaction = await connection.BeginTransactionAsync(Token))
        {
            await ExecuteAsync(connection, transaction, "insert into notes values (1)");
            Assert.True(await backend.CompleteInAsync(lease, Json("7"), transaction, Token));
            Assert.False(waiting.IsCompleted);
            await transaction.CommitAsync(Token);
        }

        Assert.False(await backend.HoldsAsync(lease, Token));
        Assert.Equal(TaskState.Succeeded, (await waiting)!.State);
        Assert.Equal(7, (await waiting)!.GetValue<int>());
        Assert.False(await backend.MarkFailureAsync(lease, "late", null, Token));
    }

    [Fact]
    public async Task A_task_completed_in_a_transaction_that_rolls_back_still_runs()
    {
        var backend = Live();
        await using var connection = await CallerAsync(backend);
        await AddAsync(backend);
        var lease = (await TakeOneAsync(backend, await BeginAsync(backend))).Lease;
        await using (var transaction = await connection.BeginTransactionAsync(Token))
        {
            Assert.True(await backend.CompleteInAsync(lease, default, transaction, Token));
            await transaction.RollbackAsync(Token);
        }

        Assert.True(await backend.HoldsAsync(lease, Token));
        Assert.True(await backend.MarkSuccessAsync(lease, default, Token));
    }

    [Fact]
    public async Task A_lost_lease_completes_nothing_in_a_transaction()
    {
        var backend = Live();
        await using var connection = await CallerAsync(backend);
        await AddAsync(backend);
        var owner = await BeginAsync(backend);
        var lost = (await TakeOneAsync(backend, owner)).Lease;
        await backend.ReleaseAsync(lost, Token);
        var held = (await TakeOneAsync(backend, owner)).Lease;
        Assert.False(await backend.HoldsAsync(lost, Token));
        await using (var transaction = await connection.BeginTransactionAsync(Token))
        {
            Assert.False(await backend.CompleteInAsync(lost, default, transaction, Token));
            await transaction.CommitAsync(Token);
        }

        Assert.True(await backend.HoldsAsync(held, Token));
    }

    [Fact]
    public async Task A_handler_can_complete_its_task_and_its_effect_together()
    {
        var backend = Live();
        await using var connection = await CallerAsync(backend);
        var attempts = 0;
        var handlers = new TaskHandlers().Add<Sum, int>(async (sum, context) =>
        {
            attempts = context.Attempt;
            await using var own = await Store.ConnectAsync(backend);
            await using var transaction = await own.BeginTransactionAsync(Token);
            await ExecuteAsync(own, transaction, $"insert into notes values ({context.Id})");
            await context.CompleteInAsync(transaction, sum.Left + sum.Right, Token);
            switch (context.Attempt)
            {
                case 1:
                    return 0; // Forgets to commit.
                case 2:
                    await transaction.RollbackAsync(Token);
                    throw new InvalidOperationException("The first way to fail.");
                default:
                    await transaction.CommitAsync(Token);
                    throw new InvalidOperationException("Too late to fail.");
            }
        });
        await using var queue = new TaskQueue(backend);
        await using var worker = new TaskWorker(backend, handlers);
        await worker.StartAsync(Token);
        var options = new EnqueueOptions { Retry = new RetryPolicy { MaxAttempts = 5, Delay = TimeSpan.Zero } };
        var handle = await queue.EnqueueAsync(new Sum(3, 4), options, Token);
        Assert.Equal(7, await handle.WaitAsync(TimeSpan.FromSeconds(30), Token));
        Assert.Equal(3, attempts);
        Assert.Equal(1L, await ExecuteAsync(connection, null, "select count(*) from notes"));
    }

    [Fact]
    public async Task A_handler_that_has_lost_its_task_cannot_complete_it()
    {
        var backend = Live();
        await using var connection = await CallerAsync(backend);
        var thrown = new TaskCompletionSource<Exception>(TaskCreationOptions.RunContinuationsAsynchronously);
        var handlers = new TaskHandlers().Add<Sum, int>(async (_, context) =>
        {
            await using var own = await Store.ConnectAsync(backend);
            await using var transaction = await own.BeginTransactionAsync(Token);
            await ExecuteAsync(own, transaction, $"update errand_tasks set epoch = epoch + 1 where id = {context.Id}");
            thrown.SetResult(await Assert.ThrowsAsync<LeaseLostException>(
                () => context.CompleteInAsync(transaction, 1, Token)));
            return 0;
        });
        await using var queue = new TaskQueue(backend);
        await using var worker = new TaskWorker(backend, handlers);
        await worker.StartAsync(Token);
        await queue.EnqueueAsync(new Sum(3, 4), null, Token);
        var lost = Assert.IsType<LeaseLostException>(await thrown.Task.WaitAsync(TimeSpan.FromSeconds(30), Token));
        Assert.Equal(1, lost.Epoch);
    }

    private sealed class ForeignTransaction : DbTransaction
    {
        public override System.Data.IsolationLevel IsolationLevel => System.Data.IsolationLevel.Serializable;

        protected override DbConnection? DbConnection => null;

        public override void Commit() => throw new NotSupportedException();

        public override void Rollback() => throw new NotSupportedException();
    }
}

[TaskName("sum")]
public sealed record Sum(int Left, int Right) : ITask<int>;
