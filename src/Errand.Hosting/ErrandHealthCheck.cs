using System.Globalization;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace Errand.Hosting;

/// <summary>Looks at the store: unhealthy where it cannot be reached, degraded where work is not being done.</summary>
internal sealed class ErrandHealthCheck(IQueueInspector inspector, ErrandHealthOptions options) : IHealthCheck
{
    public async Task<HealthCheckResult> CheckHealthAsync(
        HealthCheckContext context, CancellationToken cancellationToken = default)
    {
        QueueOverview overview;
        try
        {
            overview = await inspector.GetOverviewAsync(cancellationToken).ConfigureAwait(false);
        }
        catch (Exception e) when (e is BackendException or ObjectDisposedException)
        {
            return new HealthCheckResult(context.Registration.FailureStatus, $"The store cannot be reached: {e.Message}", e);
        }

        var data = Describe(overview);
        var problems = Problems(overview);
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

    private List<string> Problems(QueueOverview overview)
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
