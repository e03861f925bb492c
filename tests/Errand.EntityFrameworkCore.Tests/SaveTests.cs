using Errand.TestKit;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Diagnostics;

namespace Errand.EntityFrameworkCore.Tests;

public sealed class SqliteSaveTests : SaveTests<SqliteShop>;

public sealed class PostgresSaveTests : SaveTests<PostgresShop>;

/// <summary>Tasks that are saved with entities, on each provider.</summary>
public abstract class SaveTests<TStore> : IAsyncLifetime
    where TStore : ShopStore, new()
{
    private readonly TStore _store = new();
    private IBackend _backend = null!;
    private TaskQueue _queue = null!;

    protected static CancellationToken Token => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        await _store.StartAsync();
        _backend = _store.CreateBackend();
        _queue = new TaskQueue(_backend);
        await _queue.InitializeAsync(Token);
        await using var shop = Open();
        await shop.Database.EnsureCreatedAsync(Token);
    }

    public async ValueTask DisposeAsync()
    {
        await _queue.DisposeAsync();
        await _backend.DisposeAsync();
        await _store.DisposeAsync();
        GC.SuppressFinalize(this);
    }

    private Shop Open(bool retries = false, params IInterceptor[] interceptors)
    {
        var options = new DbContextOptionsBuilder<Shop>();
        _store.Use(options, retries);
        return new Shop(options.UseErrand(_queue).AddInterceptors(interceptors).Options);
    }

    private async Task<long> TasksAsync() =>
        (await _backend.Control<IQueueInspector>()!.GetOverviewAsync(Token)).Count(TaskState.Pending);

    private async Task HasAsync(int orders, int tasks)
    {
        await using var shop = Open();
        Assert.Equal((orders, tasks), (await shop.Orders.CountAsync(Token), (int)await TasksAsync()));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_task_is_saved_with_the_changes(bool isAsync)
    {
        await using var shop = Open();
        shop.Orders.Add(new Order { What = "a lamp" });
        var task = shop.Enqueue(new Confirm(7), new EnqueueOptions { Priority = 3 });
        await HasAsync(orders: 0, tasks: 0);
        Assert.False(task.IsSaved);
        Assert.Throws<InvalidOperationException>(() => task.Handle);

        Assert.Equal(1, isAsync ? await shop.SaveChangesAsync(Token) : shop.SaveChanges());

        await HasAsync(orders: 1, tasks: 1);
        var found = await _backend.Control<IQueueInspector>()!.FindAsync(task.Id, Token);
        Assert.Equal((3, "confirm"), (found!.Priority, found.Name));
        await shop.SaveChangesAsync(Token);
        await HasAsync(orders: 1, tasks: 1);
        Assert.Equal(AutoTransactionBehavior.WhenNeeded, shop.Database.AutoTransactionBehavior);
    }

    [Fact]
    public async Task Tasks_are_saved_without_any_change_too()
    {
        await using var shop = Open();
        var tasks = (shop.Enqueue(new Tidy()), shop.Enqueue(new Confirm(1)), shop.Enqueue(new Confirm(2)));
        Assert.Equal(0, await shop.SaveChangesAsync(Token));
        await HasAsync(orders: 0, tasks: 3);
        Assert.Equal(3, new HashSet<TaskId> { tasks.Item1.Id, tasks.Item2.Id, tasks.Item3.Id }.Count);
    }

    [Fact]
    public async Task A_save_that_fails_saves_neither_and_keeps_both_for_the_next()
    {
        await using var shop = Open();
        var todo = new ToDo { Title = "dust" };
        shop.Tasks.Add(todo);
        await shop.SaveChangesAsync(Token);
        await shop.Tasks.ExecuteUpdateAsync(set => set.SetProperty(one => one.Version, 5), Token);
        todo.Title = "sweep";
        shop.Orders.Add(new Order { What = "a broom" });
        shop.Enqueue(new Confirm(1));

        var conflict = await Assert.ThrowsAsync<DbUpdateConcurrencyException>(() => shop.SaveChangesAsync(Token));
        await HasAsync(orders: 0, tasks: 0);

        foreach (var entry in conflict.Entries)
        {
            entry.OriginalValues.SetValues((await entry.GetDatabaseValuesAsync(Token))!);
        }

        await shop.SaveChangesAsync(Token);
        await HasAsync(orders: 1, tasks: 1);
    }

    [Fact]
    public async Task A_task_that_cannot_be_enqueued_fails_the_save()
    {
        await using var shop = Open();
        shop.Orders.Add(new Order { What = "a lamp" });
        shop.Enqueue(new Confirm(1, new string('x', 2_000_000)));
        await Assert.ThrowsAsync<ArgumentException>(() => shop.SaveChangesAsync(Token));
        await HasAsync(orders: 0, tasks: 0);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task In_a_transaction_of_my_own_it_exists_if_that_commits(bool commits)
    {
        await using var shop = Open();
        await using (var transaction = await shop.Database.BeginTransactionAsync(Token))
        {
            shop.Orders.Add(new Order { What = "a lamp" });
            await shop.SaveChangesAsync(Token);
            shop.Enqueue(new Confirm(1));
            await shop.SaveChangesAsync(Token);
            shop.Enqueue(new Tidy());
            shop.Orders.Add(new Order { What = "a shade" });
            await shop.SaveChangesAsync(Token);
            await HasAsync(orders: 0, tasks: 0);
            if (commits)
            {
                await transaction.CommitAsync(Token);
            }
        }

        await HasAsync(commits ? 2 : 0, commits ? 2 : 0);
        await shop.SaveChangesAsync(Token);
        await HasAsync(commits ? 2 : 0, commits ? 2 : 0);
    }

    [Fact]
    public async Task A_savepoint_takes_back_tasks_and_changes()
    {
        await using var shop = Open();
        await using var transaction = await shop.Database.BeginTransactionAsync(Token);
        shop.Orders.Add(new Order { What = "a lamp" });
        shop.Enqueue(new Confirm(1));
        await shop.SaveChangesAsync(Token);
        await transaction.CreateSavepointAsync("here", Token);
        shop.Orders.Add(new Order { What = "a shade" });
        shop.Enqueue(new Confirm(2));
        await shop.SaveChangesAsync(Token);
        await transaction.RollbackToSavepointAsync("here", Token);
        await transaction.CommitAsync(Token);
        await HasAsync(orders: 1, tasks: 1);
    }

    [Fact]
    public async Task A_task_goes_with_the_transaction_that_it_was_added_in()
    {
        await using var shop = Open();
        await using (await shop.Database.BeginTransactionAsync(Token))
        {
            shop.Enqueue(new Confirm(1));
        }

        await using (var transaction = await shop.Database.BeginTransactionAsync(Token))
        {
            shop.Enqueue(new Confirm(2));
            await transaction.CommitAsync(Token);
        }

        await shop.SaveChangesAsync(Token);
        await HasAsync(orders: 0, tasks: 1);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)] // The commit has happened, and nobody knows.
    public async Task A_save_that_its_strategy_retries_enqueues_once(bool afterCommit)
    {
        var fails = new Fails(afterCommit) { Times = 2 };
        await using var shop = Open(retries: true, fails);
        shop.Orders.Add(new Order { What = "a lamp" });
        var task = shop.Enqueue(new Confirm(1));

        await shop.SaveChangesAsync(Token);

        Assert.True(fails.Times <= 0);
        Assert.Equal(1, await TasksAsync());
        Assert.NotNull(await _backend.Control<IQueueInspector>()!.FindAsync(task.Id, Token));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_transaction_that_is_retried_enqueues_once(bool acceptsLater)
    {
        var fails = new Fails(afterCommit: false) { Times = 2 };
        await using var shop = Open(retries: true, fails);
        var strategy = shop.Database.CreateExecutionStrategy();
        if (acceptsLater)
        {
            // As the documentation of Entity Framework Core has it.
            shop.Orders.Add(new Order { What = "a lamp" });
            shop.Enqueue(new Confirm(1));
            await strategy.ExecuteInTransactionAsync(
                shop, (context, token) => context.SaveChangesAsync(acceptAllChangesOnSuccess: false, token),
                (_, _) => Task.FromResult(false), Token);
            shop.ChangeTracker.AcceptAllChanges();
        }
        else
        {
            await strategy.ExecuteAsync(async () =>
            {
                shop.ChangeTracker.Clear(); // It keeps what a rolled back attempt has saved.
                await using var transaction = await shop.Database.BeginTransactionAsync(Token);
                shop.Orders.Add(new Order { What = "a lamp" });
                shop.Enqueue(new Confirm(1));
                await shop.SaveChangesAsync(Token);
                await transaction.CommitAsync(Token);
            });
        }

        await HasAsync(orders: 1, tasks: 1);
        await shop.SaveChangesAsync(Token);
        await HasAsync(orders: 1, tasks: 1);
    }

    /// <summary>Fails the first statements that write.</summary>
    private sealed class FailsToWrite : DbCommandInterceptor
    {
        public int Times { get; set; }

        public override ValueTask<InterceptionResult<System.Data.Common.DbDataReader>> ReaderExecutingAsync(
            System.Data.Common.DbCommand command, CommandEventData eventData, InterceptionResult<System.Data.Common.DbDataReader> result,
            CancellationToken cancellationToken = default) =>
            eventData.CommandSource == CommandSource.SaveChanges && Times-- > 0 ? throw new Transient() : ValueTask.FromResult(result);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task An_attempt_whose_save_failed_takes_its_tasks_with_it(bool clears)
    {
        await using var shop = Open(retries: true, new FailsToWrite { Times = 2 });
        var order = new Order { What = "a lamp" };
        if (!clears)
        {
            shop.Orders.Add(order);
        }

        await shop.Database.CreateExecutionStrategy().ExecuteAsync(async () =>
        {
            if (clears)
            {
                shop.ChangeTracker.Clear();
                shop.Orders.Add(new Order { What = "a lamp" });
                shop.Enqueue(new Confirm(1));
                await shop.SaveChangesAsync(Token);
                return;
            }

            await using var transaction = await shop.Database.BeginTransactionAsync(Token);
            shop.Enqueue(new Confirm(1));
            await shop.SaveChangesAsync(Token);
            await transaction.CommitAsync(Token);
        });

        await HasAsync(orders: 1, tasks: 1);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_task_may_hold_a_key_that_the_database_generates(bool ownTransaction)
    {
        await using var shop = Open(retries: !ownTransaction, new Fails(afterCommit: false) { Times = ownTransaction ? 0 : 1 });
        var order = new Order { What = "a lamp" };
        if (ownTransaction)
        {
            order.Lines.Add(new OrderLine { Count = 2 }); // Entity Framework Core cannot retry keys that refer to each other.
        }

        shop.Orders.Add(order);
        var task = shop.Enqueue(() => new Confirm(order.Id, string.Join(", ", order.Lines.Select(line => $"{line.Id} of {line.OrderId}"))));
        var transaction = ownTransaction ? await shop.Database.BeginTransactionAsync(Token) : null;
        await shop.SaveChangesAsync(Token);
        if (transaction is not null)
        {
            await transaction.CommitAsync(Token);
        }

        Assert.NotEqual(0, order.Id);
        var result = await RunAsync(task.Handle);
        Assert.Equal($"{order.Id}: {(ownTransaction ? $"{order.Lines[0].Id} of {order.Id}" : "")}", result);
    }

    private async Task<string> RunAsync(TaskHandle<int> handle)
    {
        var text = "";
        await using var worker = new TaskWorker(_backend, new TaskHandlers().Add<Confirm, int>((task, _) =>
        {
            text = $"{task.OrderId}: {task.Text}";
            return task.OrderId;
        }));
        await worker.StartAsync(Token);
        await handle.WaitAsync(Eventually.Bound, Token);
        return text;
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task The_worker_is_woken_by_the_commit(bool ownTransaction)
    {
        var backend = System.Reflection.DispatchProxy.Create<IBackend, Signals>();
        var signals = (Signals)(object)backend;
        signals.Inner = _backend;
        var options = new DbContextOptionsBuilder<Shop>();
        _store.Use(options, retries: false);
        await using var queue = new TaskQueue(backend);
        await using var shop = new Shop(options.UseErrand(queue).Options);
        if (ownTransaction)
        {
            await using var transaction = await shop.Database.BeginTransactionAsync(Token);
            shop.Enqueue(new Tidy());
            await shop.SaveChangesAsync(Token);
            Assert.Equal(0, signals.Commits);
            await transaction.CommitAsync(Token);
        }
        else
        {
            shop.Orders.Add(new Order { What = "a lamp" });
            shop.Enqueue(new Tidy());
            await shop.SaveChangesAsync(Token);
        }

        Assert.Equal(1, signals.Commits);
        shop.Orders.Add(new Order { What = "a shade" });
        await shop.SaveChangesAsync(Token);
        Assert.Equal(1, signals.Commits);
    }

    /// <summary>Counts the calls of <see cref="ICommitSignal.SignalCommit"/>.</summary>
    public class Signals : System.Reflection.DispatchProxy, ICommitSignal
    {
        internal IBackend Inner { get; set; } = null!;

        internal int Commits { get; private set; }

        public void SignalCommit()
        {
            Commits++;
            Inner.Control<ICommitSignal>()!.SignalCommit();
        }

        protected override object? Invoke(System.Reflection.MethodInfo? targetMethod, object?[]? args) =>
            targetMethod!.Name == nameof(IBackend.Control) && targetMethod.GetGenericArguments()[0] == typeof(ICommitSignal)
                ? this
                : targetMethod.Invoke(Inner, args);
    }

    /// <summary>A transaction that stays open for long after its last task: its worker looks once a second by then.</summary>
    [Fact]
    public async Task A_task_of_a_long_transaction_starts_at_its_commit()
    {
        await using var worker = new TaskWorker(_backend, new TaskHandlers().Add<Confirm, int>((task, _) => task.OrderId));
        await worker.StartAsync(Token);
        await using var shop = Open();
        await using var transaction = await shop.Database.BeginTransactionAsync(Token);
        var task = shop.Enqueue(new Confirm(3));
        await shop.SaveChangesAsync(Token);
        await transaction.CommitAsync(Token);
        Assert.Equal(3, await task.Handle.WaitAsync(Eventually.Bound, Token));
    }

    [Fact]
    public async Task A_pooled_context_does_not_give_its_tasks_to_the_next()
    {
        var options = new DbContextOptionsBuilder<Shop>();
        _store.Use(options, retries: false);
        var factory = new Microsoft.EntityFrameworkCore.Infrastructure.PooledDbContextFactory<Shop>(options.UseErrand(_queue).Options, 1);
        await using (var shop = await factory.CreateDbContextAsync(Token))
        {
            shop.Enqueue(new Tidy());
        }

        await using (var shop = await factory.CreateDbContextAsync(Token))
        {
            shop.Orders.Add(new Order { What = "a lamp" });
            await shop.SaveChangesAsync(Token);
        }

        await HasAsync(orders: 1, tasks: 0);
    }

    [Fact]
    public async Task A_transaction_scope_is_refused_before_anything_is_written()
    {
        using var scope = new System.Transactions.TransactionScope(System.Transactions.TransactionScopeAsyncFlowOption.Enabled);
        await using var shop = Open();
        shop.Orders.Add(new Order { What = "a lamp" });
        shop.Enqueue(new Tidy());
        var refused = await Assert.ThrowsAsync<InvalidOperationException>(() => shop.SaveChangesAsync(Token));
        Assert.Contains("Database.BeginTransaction", refused.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task The_tables_of_the_context_are_created_before_those_of_errand_or_after_them(bool migrates)
    {
        await using var store = new TStore();
        await store.StartAsync();
        await using var backend = store.CreateBackend();
        await using var queue = new TaskQueue(backend);
        await queue.InitializeAsync(Token);
        var options = new DbContextOptionsBuilder<Shop>();
        store.Use(options, retries: false);
        options.ConfigureWarnings(warnings => warnings.Ignore(RelationalEventId.PendingModelChangesWarning));
        await using var shop = new Shop(options.UseErrand(queue).Options);
        if (migrates)
        {
            await shop.Database.MigrateAsync(Token);
        }
        else
        {
            Assert.True(await shop.Database.EnsureCreatedAsync(Token));
            Assert.False(await shop.Database.EnsureCreatedAsync(Token));
        }

        shop.Tasks.Add(new ToDo { Title = "dust" });
        shop.Enqueue(new Tidy());
        if (!migrates || shop.Database.IsSqlite())
        {
            await shop.SaveChangesAsync(Token);
            Assert.Equal("dust", (await shop.Tasks.SingleAsync(Token)).Title);
            Assert.Equal(1, (await backend.Control<IQueueInspector>()!.GetOverviewAsync(Token)).Count(TaskState.Pending));
        }
    }
}
