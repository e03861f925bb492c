using Errand.Hosting;
using Microsoft.Extensions.DependencyInjection;

namespace Microsoft.Extensions.Hosting;

/// <summary>Errand in a host's builder: <c>builder.AddErrand(…)</c>.</summary>
public static class ErrandHostApplicationBuilderExtensions
{
    /// <summary>Adds a task queue, its store and its worker, as <c>builder.Services.AddErrand(…)</c> does.</summary>
    /// <param name="builder">The builder of the host: of a web application, a worker service or a console program.</param>
    /// <param name="configure">Chooses the backend, adds handlers, changes options.</param>
    /// <returns>The builder, to go on with.</returns>
    public static IHostApplicationBuilder AddErrand(this IHostApplicationBuilder builder, Action<ErrandBuilder> configure)
    {
        ArgumentNullException.ThrowIfNull(builder);
        builder.Services.AddErrand(configure);
        return builder;
    }

    /// <summary>Adds a task queue beside others as keyed services, as <c>builder.Services.AddErrand(key, …)</c> does.</summary>
    /// <param name="builder">The builder of the host.</param>
    /// <param name="key">The key: without a colon, and not the name of an options section such as <c>Worker</c>.</param>
    /// <param name="configure">Chooses the backend, adds handlers, changes options.</param>
    /// <returns>The builder, to go on with.</returns>
    public static IHostApplicationBuilder AddErrand(
        this IHostApplicationBuilder builder, string key, Action<ErrandBuilder> configure)
    {
        ArgumentNullException.ThrowIfNull(builder);
        builder.Services.AddErrand(key, configure);
        return builder;
    }
}
