using Microsoft.Extensions.DependencyInjection;

namespace Errand.Hosting;

/// <summary>What <c>AddErrand</c> is told: the backend, the handlers, the options, and whether a worker runs here.</summary>
/// <remarks>Every method returns the builder, to go on with, and may be called in any order. Not thread-safe.</remarks>
public sealed partial class ErrandBuilder : IErrandBuilder
{
    private readonly List<BackendFactory> _backends = [];

    internal ErrandBuilder(IServiceCollection services, string? key)
    {
        Services = services;
        Key = key;
    }

    /// <summary>The host's services, for extensions of this builder.</summary>
    public IServiceCollection Services { get; }

    /// <summary>The key of the services that this builder adds; null for the one without.</summary>
    public string? Key { get; }

    internal IReadOnlyList<BackendFactory> Backends => _backends;

    internal Func<TaskQueueOptions, TaskQueueOptions> QueueChanges { get; private set; } = options => options;

    internal Func<TaskWorkerOptions, TaskWorkerOptions> WorkerChanges { get; private set; } = options => options;

    internal bool HasWorker { get; private set; } = true;

    /// <inheritdoc/>
    public void UseBackend(string section, Func<IServiceProvider, OptionValues, IBackend> create)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(section);
        ArgumentNullException.ThrowIfNull(create);
        _backends.Add(new BackendFactory(section, create));
    }

    /// <summary>Changes the options of the queue, after the configuration: <c>queue => queue with { … }</c>.</summary>
    /// <param name="change">Gives the options that are to be.</param>
    /// <returns>This builder, to go on with.</returns>
    public ErrandBuilder ConfigureQueue(Func<TaskQueueOptions, TaskQueueOptions> change)
    {
        ArgumentNullException.ThrowIfNull(change);
        var before = QueueChanges;
        QueueChanges = options => change(before(options));
        return this;
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

    /// <summary>
    /// Runs no worker in this process, which only enqueues and reads results: tasks are left to other processes. Handlers may be
    /// added all the same, and are not used.
    /// </summary>
    /// <returns>This builder, to go on with.</returns>
    public ErrandBuilder WithoutWorker()
    {
        HasWorker = false;
        return this;
    }

    /// <summary>How a backend is made, and where its options stand.</summary>
    internal sealed record BackendFactory(string Section, Func<IServiceProvider, OptionValues, IBackend> Create);
}
