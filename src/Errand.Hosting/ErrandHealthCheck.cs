using System.Globalization;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace Errand.Hosting;

/// <summary>Looks at the store: unhealthy where it cannot be reached, degraded where work is not being done.</summary>
internal sealed class ErrandHealthCheck(ErrandParts? parts, string addedBy) : IHealthCheck
{
    public async Task<HealthCheckResult> CheckHealthAsync(
        HealthCheckContext context, CancellationToken cancellationToken = default)
    {
        if (parts is null)
        {
            return new HealthCheckResult(
                context.Registration.FailureStatus, $"There is no {addedBy}, whose store this check looks at. Add it, or remove the check.");
        }

        QueueOverview overview;
        try
        {
            overview = await parts.Inspector.GetOverviewAsync(cancellationToken).ConfigureAwait(false);
        }
        catch (Exception e) when (e is BackendException or ObjectDisposedException)
        {
            return new HealthCheckResult(context.Registration.FailureStatus, $"The store cannot be reached: {e.Message}", e);
        }

        var data = Describe(overview);
        var problems = Problems(overview, parts.Health);
        return problems.Count == 0
            ? HealthCheckResult.Healthy("The store can be reached, and its tasks are worked on.", data)
            : HealthCheckResult.Degraded(string.Join(' ', problems), data: data);
    }

    private static Dictionary<string, object> Describe(QueueOverview overview) => new(StringComparer.Ordinal)
    {
        [nameof(overview.LiveWorkers)] = overview.LiveWorkers,
        [nameof(overview.OldestWaiting)] = overview.OldestWaiting ?? TimeSpan.Zero,
        [nameof(overview.Unclaimed)] = overview.Unclaimed.Sum(one => one.Tasks),
        [nameof(TaskState.Pending)] = overview.Count(TaskState.Pending),
        [nameof(TaskState.Scheduled)] = overview.Count(TaskState.Scheduled),
        [nameof(TaskState.Running)] = overview.Count(TaskState.Running),
        [nameof(TaskState.Failed)] = overview.Count(TaskState.Failed),
    };

    private static List<string> Problems(QueueOverview overview, ErrandHealthOptions options)
    {
        List<string> problems = [];
        if (overview.LiveWorkers < options.MinWorkers)
        {
            problems.Add(string.Create(
                CultureInfo.InvariantCulture, $"{overview.LiveWorkers} workers live, of at least {options.MinWorkers}."));
        }

        if (overview.OldestWaiting > options.MaxWaiting)
        {
            problems.Add($"A task has waited {overview.OldestWaiting} for its start, longer than {options.MaxWaiting}.");
        }

        if (overview.Unclaimed.Sum(one => one.Tasks) > options.MaxUnclaimed)
        {
            var names = overview.Unclaimed.Take(10)
                .Select(one => string.Create(CultureInfo.InvariantCulture, $"{one.Name} ({one.Tasks})"));
            problems.Add($"No live worker knows the tasks {string.Join(", ", names)}.");
        }

        return problems;
    }
}
