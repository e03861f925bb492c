using System.Text;
using Errand.TestKit;

namespace Errand.Contract;

/// <summary>
/// The base of the contract: a class for each behaviour that every store must have. A store inherits each of them once, by a class of
/// one line; an override needs a reason.
/// </summary>
/// <typeparam name="TStore">The store under test.</typeparam>
public abstract partial class StoreTest<TStore> : IAsyncLifetime
    where TStore : Store, new()
{
    private readonly List<IBackend> _backends = [];

    protected TStore Store { get; } = new();

    protected ManualTimeProvider Clock { get; } = new();

    protected static CancellationToken Token => TestContext.Current.CancellationToken;

    public ValueTask InitializeAsync() => Store.StartAsync();

    public async ValueTask DisposeAsync()
    {
        foreach (var backend in _backends)
        {
            await backend.DisposeAsync();
        }

        await Store.DisposeAsync();
        GC.SuppressFinalize(this);
    }

    /// <summary>A backend on the system's clock.</summary>
    protected IBackend Live(TimeSpan? retention = null) => Keep(Store.Create(TimeProvider.System, retention));

    /// <summary>A backend whose time stands still until the test moves it.</summary>
    protected IBackend Timed(TimeSpan? retention = null) => Keep(Store.Create(Clock, retention));

    protected IBackend Keep(IBackend backend)
    {
        _backends.Add(backend);
        return backend;
    }

    protected static NewTask Task1(string name = "a", string queue = Defaults.Queue) =>
        new() { Name = name, Queue = queue, Payload = "{}"u8.ToArray() };

    protected static async Task<TaskId> AddAsync(IBackend backend, NewTask? task = null) =>
        (await backend.EnqueueAsync([task ?? Task1()], Token))[0].Id;

    protected static async Task<TaskId[]> AddManyAsync(IBackend backend, int count) =>
        [.. (await backend.EnqueueAsync([.. Enumerable.Range(0, count).Select(_ => Task1())], Token)).Select(one => one.Id)];

    protected static ValueTask<WorkerId> BeginAsync(IBackend backend, TimeSpan? lease = null, params string[] names) =>
        backend.BeginWorkerAsync(
            new WorkerRegistration
            {
                Lease = lease ?? TimeSpan.FromSeconds(30),
                TaskNames = names.Length == 0 ? ["a", "b", "c"] : names,
            },
            Token);

    /// <summary>Reserves what is there, without waiting.</summary>
    protected static ValueTask<IReadOnlyList<ReservedTask>> TakeAsync(
        IBackend backend, WorkerId owner, int max = 100, params string[] queues) =>
        backend.ReserveAsync(
            new ReserveRequest
            {
                Owner = owner,
                MaxTasks = max,
                Wait = TimeSpan.Zero,
                Queues = queues.Length == 0 ? [Defaults.Queue] : [.. queues.Select(queue => new QueueSubscription(queue))],
            },
            Token);

    protected static ReserveRequest From(WorkerId owner, params QueueSubscription[] queues) =>
        new() { Owner = owner, MaxTasks = 1, Wait = TimeSpan.Zero, Queues = queues };

    /// <summary>Reserves what is there in several queues: one reserve may give what it finds in the first.</summary>
    protected static async Task<IReadOnlyList<ReservedTask>> TakeAllAsync(
        IBackend backend, WorkerId owner, int max, params string[] queues)
    {
        List<ReservedTask> taken = [];
        foreach (var queue in queues)
        {
            taken.AddRange(await TakeAsync(backend, owner, max, queue));
        }

        return taken;
    }

    protected static async Task<ReservedTask> TakeOneAsync(IBackend backend, WorkerId owner) =>
        Assert.Single(await TakeAsync(backend, owner, max: 1));

    protected static ReadOnlyMemory<byte> Json(string text) => Encoding.UTF8.GetBytes(text);

    /// <summary>Moves time on in small steps, giving the store a turn at each, as a machine that is awake would.</summary>
    protected async Task PassAsync(IBackend backend, TimeSpan time, Action? atEachStep = null)
    {
        var step = TimeSpan.FromMilliseconds(500);
        for (var passed = TimeSpan.Zero; passed < time; passed += step)
        {
            Clock.Advance(step);
            atEachStep?.Invoke();
            await backend.InitializeAsync(Token);
        }
    }
}
