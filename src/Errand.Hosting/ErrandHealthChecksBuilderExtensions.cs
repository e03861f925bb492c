using Errand;
using Errand.Hosting;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Errand among a host's health checks.</summary>
public static class ErrandHealthChecksBuilderExtensions
{
    /// <summary>
    /// Adds a check of the store of <c>AddErrand</c>: unhealthy where it cannot be reached; degraded where too few workers live, a
    /// due task has waited too long, or tasks wait that no live worker knows.
    /// </summary>
    /// <remarks>
    /// Its data are <c>Pending</c>, <c>Scheduled</c>, <c>Running</c> and <c>Failed</c> tasks, <c>LiveWorkers</c>, <c>Unclaimed</c>
    /// tasks and <c>OldestWaiting</c>; what they count is said at <see cref="QueueOverview"/>. The section <c>Errand:Health</c> of
    /// the configuration holds the thresholds, and is applied before <paramref name="configure"/>.
    /// </remarks>
    /// <param name="builder">The health checks.</param>
    /// <param name="configure">Changes the thresholds. Default is null: they stay as they are.</param>
    /// <param name="name">The name of the check. Default is <c>errand</c>.</param>
    /// <param name="tags">Tags of the check. Default is none.</param>
    /// <returns>The health checks, to go on with.</returns>
    public static IHealthChecksBuilder AddErrand(
        this IHealthChecksBuilder builder, Func<ErrandHealthOptions, ErrandHealthOptions>? configure = null,
        string name = "errand", IEnumerable<string>? tags = null) =>
        Add(builder, null, configure, name, tags);

    /// <summary>Adds a check of the store of <c>AddErrand(key, …)</c>.</summary>
    /// <param name="builder">The health checks.</param>
    /// <param name="key">The key.</param>
    /// <param name="configure">Changes the thresholds. Default is null: they stay as they are.</param>
    /// <param name="name">The name of the check. Default is null: <c>errand-</c> and the key.</param>
    /// <param name="tags">Tags of the check. Default is none.</param>
    /// <inheritdoc cref="AddErrand(IHealthChecksBuilder, Func{ErrandHealthOptions, ErrandHealthOptions}?, string, IEnumerable{string}?)"/>
    public static IHealthChecksBuilder AddErrand(
        this IHealthChecksBuilder builder, string key, Func<ErrandHealthOptions, ErrandHealthOptions>? configure = null,
        string? name = null, IEnumerable<string>? tags = null)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(key);
        return Add(builder, key, configure, name ?? $"errand-{key}", tags);
    }

    private static IHealthChecksBuilder Add(
        IHealthChecksBuilder builder, string? key, Func<ErrandHealthOptions, ErrandHealthOptions>? configure, string name,
        IEnumerable<string>? tags)
    {
        ArgumentNullException.ThrowIfNull(builder);
        if (configure is not null)
        {
            builder.Services.AddKeyedSingleton(key, new ErrandHealthChange(configure));
        }

        return builder.Add(new HealthCheckRegistration(
            name,
            provider => new ErrandHealthCheck(
                provider.GetKeyedService<ErrandParts>(key), key is null ? "AddErrand" : $"AddErrand(\"{key}\")"),
            failureStatus: null,
            tags));
    }
}
