using System.Collections.Concurrent;

namespace Errand.Contract;

/// <summary>Disposing a backend: every call fails and every wait ends at once.</summary>
public abstract class DisposeContract<TStore> : StoreTest<TStore>
    where TStore : Store, new()
{
    [Fact]
    public async Task After_dispose_every_call_fails_at_once()
    {
        var backend = Live();
        var owner = await BeginAsync(backend);
        var lease = new TaskLease { Id = new TaskId(1), Owner = owner, Epoch = 1 };
        await backend.DisposeAsync();
        await backend.DisposeAsync();

        Func<Task>[] calls =
        [
            () => backend.InitializeAsync(Token).AsTask(),
            () => backend.NewIdAsync(Token).AsTask(),
            () => backend.EnqueueAsync([Task1()], Token).AsTask(),
            () => BeginAsync(backend).AsTask(),
            () => TakeAsync(backend, owner).AsTask(),
            () => Task.FromResult(backend.Heartbeat(owner)),
            () => backend.ReconcileAsync(owner, new HashSet<TaskId>(), Token).AsTask(),
            () => backend.MarkSuccessAsync(lease, default, Token).AsTask(),
            () => backend.MarkFailureAsync(lease, "x", null, Token).AsTask(),
            () => backend.ReleaseAsync(lease, Token).AsTask(),
            () => backend.EndWorkerAsync(owner, release: true, Token).AsTask(),
            () => backend.GetResultAsync(new TaskId(1), TimeSpan.Zero, Token).AsTask(),
        ];
        foreach (var call in calls)
        {
            await Assert.ThrowsAsync<ObjectDisposedException>(call);
        }
    }

    [Fact]
    public async Task A_backend_that_was_never_used_can_be_disposed()
    {
        var backend = Live();
        await backend.DisposeAsync();
        await Assert.ThrowsAsync<ObjectDisposedException>(() => backend.InitializeAsync(Token).AsTask());
    }

    [Fact]
    public async Task Dispose_ends_every_wait()
    {
        var backend = Live();
        var owner = await BeginAsync(backend);
        var id = await AddAsync(backend, Task1("nobody-knows"));
        var reserve = backend.ReserveAsync(new ReserveRequest { Owner = owner, MaxTasks = 1 }, Token).AsTask();
        var result = backend.GetResultAsync(id, Timeout.InfiniteTimeSpan, Token).AsTask();
        await backend.InitializeAsync(Token);

        await backend.DisposeAsync();

        await Assert.ThrowsAsync<ObjectDisposedException>(() => reserve);
        await Assert.ThrowsAsync<ObjectDisposedException>(() => result);
    }

    [Fact]
    public async Task Dispose_is_clean_while_callers_are_inside()
    {
        for (var round = 0; round < 10; round++)
        {
            var backend = Live();
            await backend.InitializeAsync(Token);
            var acknowledged = new ConcurrentBag<TaskId>();
            using var started = new CountdownEvent(8);
            var callers = Enumerable.Range(0, 8).Select(_ => Task.Run(async () =>
            {
                started.Signal();
                while (true)
                {
                    acknowledged.Add(await AddAsync(backend));
                }
            })).ToArray();
            started.Wait(Token);

            await Task.WhenAll(backend.DisposeAsync().AsTask(), Task.Run(async () => await backend.DisposeAsync()));

            foreach (var caller in callers)
            {
                await Assert.ThrowsAsync<ObjectDisposedException>(() => caller.WaitAsync(TimeSpan.FromSeconds(30)));
            }
        }
    }

    [Fact]
    public async Task A_store_that_is_disposed_can_be_neither_listed_nor_governed()
    {
        var backend = Live();
        await backend.InitializeAsync(Token);
        await backend.DisposeAsync();
        var inspector = InspectorOf(backend);
        Func<Task>[] calls =
        [
            () => inspector.ListAsync(cancellationToken: Token).AsTask(),
            () => inspector.FindAsync(new TaskId(1), Token).AsTask(),
            () => inspector.ExplainAsync(new TaskId(1), Token).AsTask(),
            () => inspector.ListWorkersAsync(Token).AsTask(),
            () => inspector.RetryAsync(new TaskId(1), Token).AsTask(),
            () => inspector.RetryAsync(new TaskFilter(), Token).AsTask(),
            () => inspector.CancelAsync(new TaskId(1), Token).AsTask(),
            () => inspector.DeleteAsync(new TaskId(1), Token).AsTask(),
            () => inspector.PauseAsync("mail", Token).AsTask(),
            () => inspector.ResumeAsync("mail", Token).AsTask(),
        ];
        foreach (var call in calls)
        {
            await Assert.ThrowsAsync<ObjectDisposedException>(call);
        }
    }

    [Fact]
    public async Task A_store_that_is_disposed_cannot_be_looked_at()
    {
        var backend = Live();
        await backend.InitializeAsync(Token);
        await backend.DisposeAsync();
        await Assert.ThrowsAsync<ObjectDisposedException>(() => LookAsync(backend));
    }
}
