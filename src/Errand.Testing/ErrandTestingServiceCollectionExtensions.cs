using Errand;
using Errand.Hosting;
using Errand.Testing;
using Microsoft.Extensions.Time.Testing;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Tests of a whole application, such as with WebApplicationFactory.</summary>
public static class ErrandTestingServiceCollectionExtensions
{
    /// <summary>
    /// Puts every <c>AddErrand</c> of an application under test: its tasks are in memory instead of its store, on a clock that the test
    /// moves, and no worker starts. The host's services have an <see cref="ErrandTest"/> that runs the tasks with the application's own
    /// handlers, and a keyed one for each keyed <c>AddErrand</c>.
    /// </summary>
    /// <remarks>
    /// <para>
    /// May be called before or after <c>AddErrand</c>, such as in <c>ConfigureTestServices</c>. The application's store is not created,
    /// opened or checked; its queues, workers, handlers and options are, as in production.
    /// </para>
    /// <para>
    /// All share one clock: <see cref="ErrandTestOptions.Clock"/>; without it the application's <see cref="TimeProvider"/> service if
    /// that is a <see cref="FakeTimeProvider"/>; else a new one that starts at the present time.
    /// </para>
    /// </remarks>
    /// <param name="services">The services of the application.</param>
    /// <param name="options">
    /// Clock and bounds. Queue and worker are the application's and must not be set. Default is null: all defaults.
    /// </param>
    /// <returns>The services, to continue with.</returns>
    /// <exception cref="InvalidOptionsException">The options cannot work. The exception lists every problem.</exception>
    public static IServiceCollection AddErrandTesting(this IServiceCollection services, ErrandTestOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(services);
        options = (options ?? new ErrandTestOptions()).ValidatedForHost();
        services.AddSingleton(provider => new TestClock(
            options.Clock ?? provider.GetService<TimeProvider>() as FakeTimeProvider ?? new FakeTimeProvider(TimeProvider.System.GetUtcNow())));
        services.AddSingleton(provider => new TestStore(
            () => RecordingBackend.InMemory(provider.GetRequiredService<TestClock>().Time)));
        services.AddSingleton(provider => NewTest(provider, null));
        services.AddKeyedSingleton(KeyedService.AnyKey, (provider, key) => NewTest(provider, (string?)key));
        return services;

        ErrandTest NewTest(IServiceProvider provider, string? key)
        {
            var parts = provider.GetKeyedService<ErrandParts>(key) ?? throw new InvalidOperationException(
                key is null ? "The application has not called AddErrand." : $"The application has not called AddErrand(\"{key}\", …).");
            return new ErrandTest(
                options, provider.GetRequiredService<TestClock>().Time, parts, provider.GetRequiredKeyedService<TaskQueue>(key));
        }
    }

    /// <summary>One for all parts of a host.</summary>
    private sealed record TestClock(FakeTimeProvider Time);
}
