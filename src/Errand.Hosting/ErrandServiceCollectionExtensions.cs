using Errand;
using Errand.Hosting;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Errand in a host.</summary>
public static class ErrandServiceCollectionExtensions
{
    /// <summary>
    /// Adds a task queue, its store, and a worker that starts and stops with the host. Injectable from then on, as singletons:
    /// <see cref="ITaskQueue"/>, <see cref="TaskQueue"/>, <see cref="IBackend"/> and <see cref="IQueueInspector"/>.
    /// </summary>
    /// <remarks>
    /// <para>
    /// The host opens the store before any other hosted service starts, and does not start where the store or the options cannot
    /// work: one <see cref="InvalidOptionsException"/> tells all that is wrong. The worker starts when all hosted services have
    /// started. When its turn to stop comes it lets handlers finish, for <see cref="TaskWorkerOptions.ShutdownGrace"/> and at most
    /// until two seconds before the end of the host's <see cref="HostOptions.ShutdownTimeout"/>; then it cancels their tokens, so
    /// that what heeds its token is given back in time.
    /// </para>
    /// <para>
    /// Options come from the sections <c>Errand:Queue</c>, <c>Errand:Worker</c>, <c>Errand:Health</c> and the backend's own
    /// (<c>Errand:Sqlite</c>) of the configuration; functions in code that change options are applied after that. The configuration
    /// may redirect the store: its path or connection string replaces the one in code. Called again, it goes on with the same builder,
    /// and a later <c>Use…</c> replaces the backend chosen before.
    /// </para>
    /// </remarks>
    /// <param name="services">The host's services.</param>
    /// <param name="configure">Chooses the backend, adds handlers, changes options.</param>
    /// <returns>The services, to go on with.</returns>
    public static IServiceCollection AddErrand(this IServiceCollection services, Action<ErrandBuilder> configure)
    {
        ArgumentNullException.ThrowIfNull(configure);
        configure(Builder(services, null));
        return services;
    }

    /// <summary>
    /// Adds a task queue beside others, with a store and a worker of its own, as keyed services:
    /// <c>[FromKeyedServices("reports")] ITaskQueue queue</c>. Its sections of the configuration are <c>Errand:reports:Queue</c> and
    /// so on.
    /// </summary>
    /// <param name="services">The host's services.</param>
    /// <param name="key">The key: without a colon, and not the name of an options section such as <c>Worker</c>.</param>
    /// <param name="configure">Chooses the backend, adds handlers, changes options.</param>
    /// <inheritdoc cref="AddErrand(IServiceCollection, Action{ErrandBuilder})"/>
    public static IServiceCollection AddErrand(this IServiceCollection services, string key, Action<ErrandBuilder> configure)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(key);
        ArgumentNullException.ThrowIfNull(configure);
        configure(Builder(services, key));
        return services;
    }

    /// <summary>The builder of this key: the same one when modules of a program each add their part.</summary>
    private static ErrandBuilder Builder(IServiceCollection services, string? key)
    {
        ArgumentNullException.ThrowIfNull(services);
        var known = services.FirstOrDefault(one => one.ServiceType == typeof(ErrandBuilder) && Equals(one.ServiceKey, key));
        if ((key is null ? known?.ImplementationInstance : known?.KeyedImplementationInstance) is ErrandBuilder same)
        {
            return same;
        }

        var builder = new ErrandBuilder(services, key);
        services.AddKeyedSingleton(key, builder);
        services.AddKeyedSingleton(key, (provider, _) => new ErrandParts(builder, provider));
        services.AddKeyedSingleton(key, (provider, _) => Parts(provider).Backend);
        services.AddKeyedSingleton(key, (provider, _) => Parts(provider).Inspector);
        services.AddKeyedSingleton(key, (provider, _) => Parts(provider).NewQueue());
        services.AddKeyedSingleton<ITaskQueue>(key, (provider, _) => provider.GetRequiredKeyedService<TaskQueue>(key));
        services.AddSingleton<IHostedService>(NewService);
        services.TryAddEnumerable(ServiceDescriptor.Singleton<ILoggerProvider, TaskLogProvider>());
        return builder;

        ErrandParts Parts(IServiceProvider provider) => provider.GetRequiredKeyedService<ErrandParts>(key);

        ErrandService NewService(IServiceProvider provider)
        {
            // The container disposes in reverse: what handlers use is made before the worker, and outlives it.
            provider.GetRequiredKeyedService<IBackend>(key);
            provider.GetRequiredKeyedService<ITaskQueue>(key);
            return new ErrandService(
                Parts(provider), provider.GetRequiredService<IOptions<HostOptions>>(), provider.GetRequiredService<ILogger<ErrandBuilder>>());
        }
    }
}
