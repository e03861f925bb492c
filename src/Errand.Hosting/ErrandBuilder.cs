using System.Text.Json;
using Microsoft.Extensions.DependencyInjection;

namespace Errand.Hosting;

/// <summary>What <c>AddErrand</c> is told: the backend, the handlers, the options, and whether a worker runs here.</summary>
/// <remarks>Every method returns the builder, to go on with, and may be called in any order; of several backends the last counts. Not thread-safe.</remarks>
public sealed partial class ErrandBuilder : IErrandBuilder
{
    private readonly HashSet<string> _sections = new(StringComparer.OrdinalIgnoreCase);
    private readonly Dictionary<string, ErrandBuilder> _workers = new(StringComparer.OrdinalIgnoreCase);
    private readonly string? _worker; // The name of the worker that this builder adds to another one; null for the other one.

    internal ErrandBuilder(IServiceCollection services, string? key)
        : this(services, key, null)
    {
    }

    private ErrandBuilder(IServiceCollection services, string? key, string? worker)
    {
        Services = services;
        Key = key;
        _worker = worker;
    }

    /// <summary>The host's services, for extensions of this builder.</summary>
    public IServiceCollection Services { get; }

    /// <summary>The key of the services that this builder adds; null for the one without.</summary>
    public string? Key { get; }

    /// <summary>The backend that was chosen last; null for none.</summary>
    internal BackendFactory? Backend { get; private set; }

    /// <summary>The sections of every backend that was chosen, also of one that was replaced.</summary>
    internal IReadOnlySet<string> BackendSections => _sections;

    /// <summary>The workers beside the one that every builder has, by name.</summary>
    internal IReadOnlyDictionary<string, ErrandBuilder> Workers => _workers;

    internal TimeSpan StoreWait { get; private set; }

    internal Func<TaskQueueOptions, TaskQueueOptions> QueueChanges { get; private set; } = options => options;

    internal Func<TaskWorkerOptions, TaskWorkerOptions> WorkerChanges { get; private set; } = options => options;

    internal bool HasWorker { get; private set; } = true;

    /// <inheritdoc/>
    public void UseBackend(string section, Func<IServiceProvider, OptionValues, IBackend> create)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(section);
        ArgumentNullException.ThrowIfNull(create);
        RefuseWithinWorker("The backend");
        _sections.Add(section);
        Backend = new BackendFactory(section, create);
    }

    /// <summary>
    /// Adds a worker beside the first, on the same backend, with queues, slots and, if it adds any, handlers of its own. Called again
    /// with the same name, it continues with the same worker.
    /// </summary>
    /// <remarks>
    /// <para>
    /// Its options begin as those of the first worker. The section <c>Errand:Workers:</c>name of the configuration comes after that,
    /// then the changes made here. If it adds handlers, it runs those alone; if it adds none, it runs the handlers of this builder.
    /// The first worker does not run handlers that another worker adds, and is left out if it has no handler.
    /// </para>
    /// </remarks>
    /// <param name="name">The name of the worker, for the configuration and for messages; without a colon.</param>
    /// <param name="configure">
    /// Adds handlers and changes the options, with a builder of the worker's own. It cannot choose a backend or change the queue.
    /// Default is null: everything is set by the configuration.
    /// </param>
    /// <returns>This builder, to go on with.</returns>
    public ErrandBuilder AddWorker(string name, Action<ErrandBuilder>? configure = null)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(name);
        RefuseWithinWorker("Another worker");
        if (name.Contains(':'))
        {
            throw new ArgumentException($"The name of the worker is '{name}'. Use one without a colon, which separates sections.", nameof(name));
        }

        if (!_workers.TryGetValue(name, out var worker))
        {
            worker = new ErrandBuilder(Services, Key, name);
            _workers.Add(name, worker);
        }

        configure?.Invoke(worker);
        return this;
    }

    /// <summary>Adds a worker that differs in its options: <c>AddWorker("slow", worker => worker with { Queues = ["slow"] })</c>.</summary>
    /// <param name="name">The name of the worker, for the configuration and for messages; without a colon.</param>
    /// <param name="change">Returns the options of the worker.</param>
    /// <inheritdoc cref="AddWorker(string, Action{ErrandBuilder})"/>
    public ErrandBuilder AddWorker(string name, Func<TaskWorkerOptions, TaskWorkerOptions> change)
    {
        ArgumentNullException.ThrowIfNull(change);
        return AddWorker(name, (ErrandBuilder worker) => worker.ConfigureWorker(change));
    }

    /// <summary>
    /// Lets the start of the host wait for a store that cannot be used yet, such as a database server that is still starting. Without
    /// this the host does not start then.
    /// </summary>
    /// <remarks>
    /// Only errors that may pass by themselves are waited for (<see cref="BackendException.IsTransient"/>). The first one is logged.
    /// <c>Errand:WaitForStore</c> of the configuration replaces the time given here.
    /// </remarks>
    /// <param name="atMost">How long to wait; zero to 1 day.</param>
    /// <returns>This builder, to go on with.</returns>
    public ErrandBuilder WaitForStore(TimeSpan atMost)
    {
        RefuseWithinWorker("The wait for the store");
        StoreWait = atMost;
        return this;
    }

    /// <summary>Changes the options of the queue, after the configuration: <c>queue => queue with { … }</c>.</summary>
    /// <param name="change">Gives the options that are to be.</param>
    /// <returns>This builder, to go on with.</returns>
    public ErrandBuilder ConfigureQueue(Func<TaskQueueOptions, TaskQueueOptions> change)
    {
        ArgumentNullException.ThrowIfNull(change);
        RefuseWithinWorker("The queue");
        var before = QueueChanges;
        QueueChanges = options => change(before(options));
        return this;
    }

    /// <summary>
    /// Changes what every task is enqueued with where neither the call nor its type says otherwise, after the configuration
    /// (<c>Errand:Defaults</c>): <c>defaults => defaults with { … }</c>.
    /// </summary>
    /// <param name="change">Returns the defaults that are to be.</param>
    /// <returns>This builder, to go on with.</returns>
    public ErrandBuilder ConfigureDefaults(Func<TaskDefaults, TaskDefaults> change)
    {
        ArgumentNullException.ThrowIfNull(change);
        return ConfigureQueue(queue => queue with { Defaults = change(queue.Defaults) });
    }

    /// <summary>
    /// Changes what the tasks of one type are enqueued with where the call does not say it: <c>defaults => defaults with { … }</c>. It wins
    /// over the [<see cref="TaskDefaultsAttribute"/>] of the type, and over the defaults of all tasks.
    /// </summary>
    /// <typeparam name="TTask">The type; not those that derive from it.</typeparam>
    /// <param name="change">Returns the defaults that are to be, from those that were configured for the type before.</param>
    /// <returns>This builder, to go on with.</returns>
    public ErrandBuilder ConfigureDefaults<TTask>(Func<TaskDefaults, TaskDefaults> change)
        where TTask : ITaskPayload
    {
        ArgumentNullException.ThrowIfNull(change);
        return ConfigureQueue(queue => queue.ConfigureDefaults<TTask>(change));
    }

    /// <summary>Changes the options of the worker, after the configuration: <c>worker => worker with { … }</c>.</summary>
    /// <param name="change">Gives the options that are to be.</param>
    /// <returns>This builder, to go on with.</returns>
    public ErrandBuilder ConfigureWorker(Func<TaskWorkerOptions, TaskWorkerOptions> change)
    {
        ArgumentNullException.ThrowIfNull(change);
        var before = WorkerChanges;
        WorkerChanges = options => change(before(options));
        return this;
    }

    /// <summary>How payloads and results are turned to JSON, for the queue and for every worker.</summary>
    /// <param name="json">
    /// Ordinary options, or those of a source-generated context. They are as strict as they say about null and missing values; those that
    /// Errand uses without this respect nullable annotations and required constructor parameters.
    /// </param>
    /// <returns>This builder, to go on with.</returns>
    public ErrandBuilder UseJson(JsonSerializerOptions json)
    {
        ArgumentNullException.ThrowIfNull(json);
        RefuseWithinWorker("The JSON options");
        return ConfigureQueue(queue => queue with { Json = json }).ConfigureWorker(worker => worker with { Json = json });
    }

    /// <summary>
    /// Asks for a name of its own for every payload ([<see cref="TaskNameAttribute"/>]), so that no type that is renamed or moved leaves
    /// its stored tasks behind. A payload without it is refused when the host starts, or when it is enqueued.
    /// </summary>
    /// <returns>This builder, to go on with.</returns>
    public ErrandBuilder RequireTaskName() =>
        ConfigureQueue(queue => queue with { RequireTaskName = true }).ConfigureWorker(worker => worker with { RequireTaskName = true });

    /// <summary>
    /// Runs no worker in this process, which only enqueues and reads results: tasks are left to other processes. Handlers and workers
    /// may be added all the same, and are not used. Within <c>AddWorker</c> it leaves out that worker alone.
    /// </summary>
    /// <returns>This builder, to go on with.</returns>
    public ErrandBuilder WithoutWorker()
    {
        HasWorker = false;
        return this;
    }

    private void RefuseWithinWorker(string what)
    {
        if (_worker is not null)
        {
            throw new InvalidOperationException(
                $"{what} is set within AddWorker(\"{_worker}\", …), and belongs to all workers. Set it in AddErrand.");
        }
    }

    /// <summary>How a backend is made, and where its options stand.</summary>
    internal sealed record BackendFactory(string Section, Func<IServiceProvider, OptionValues, IBackend> Create);
}
