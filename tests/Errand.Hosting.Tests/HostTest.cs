using Errand.TestKit;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Errand.Hosting.Tests;

/// <summary>Hosts that a test starts, and a folder for their files; both end with it.</summary>
public abstract class HostTest : IAsyncDisposable
{
    protected static readonly TimeSpan Bound = Eventually.Bound;

    private readonly TemporaryFolder _folder = new();
    private readonly List<IHost> _hosts = [];

    protected string Database => _folder.File("tasks.db");

    protected Journal Journal { get; } = new();

    protected RecordingProvider Log { get; } = new();

    public async ValueTask DisposeAsync()
    {
        foreach (var host in _hosts)
        {
            await ((IAsyncDisposable)host).DisposeAsync();
        }

        _folder.Dispose();
        GC.SuppressFinalize(this);
    }

    protected string File(string name) => _folder.File(name);

    /// <summary>A builder of a host that is quiet, in an environment in which the container checks scopes.</summary>
    protected HostApplicationBuilder NewBuilder(params (string Name, string? Value)[] configuration)
    {
        var builder = Host.CreateApplicationBuilder(new HostApplicationBuilderSettings { EnvironmentName = "Development" });
        builder.Configuration.AddInMemoryCollection(configuration.Select(one => KeyValuePair.Create(one.Name, one.Value)));
        builder.Logging.ClearProviders().AddProvider(Log);
        builder.Services.AddSingleton(Journal);
        return builder;
    }

    protected IHost Build(HostApplicationBuilder builder)
    {
        var host = builder.Build();
        _hosts.Add(host);
        return host;
    }

    protected async Task<IHost> StartAsync(HostApplicationBuilder builder)
    {
        var host = Build(builder);
        await host.StartAsync(TestContext.Current.CancellationToken);
        return host;
    }

    /// <summary>A host with all defaults, and its database in memory.</summary>
    protected Task<IHost> StartAsync(Action<ErrandBuilder> configure)
    {
        var builder = NewBuilder();
        builder.Services.AddErrand(errand => configure(errand.UseSqlite(":memory:")));
        return StartAsync(builder);
    }

    protected static ITaskQueue Queue(IHost host) => host.Services.GetRequiredService<ITaskQueue>();

    protected static async Task RunAsync(IHost host, ITask task, EnqueueOptions? options = null) =>
        await (await Queue(host).EnqueueAsync(task, options)).WaitAsync(Bound);

    protected static async Task<T> RunAsync<T>(IHost host, ITask<T> task, EnqueueOptions? options = null) =>
        await (await Queue(host).EnqueueAsync(task, options)).WaitAsync(Bound);
}
