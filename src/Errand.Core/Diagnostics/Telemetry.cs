using System.Diagnostics;
using System.Diagnostics.Metrics;
using Errand.Running;

namespace Errand.Diagnostics;

/// <summary>
/// Every span and instrument, by OpenTelemetry's conventions for messaging where they have a word
/// (https://opentelemetry.io/docs/specs/semconv/messaging/), else under <c>errand</c>.
/// </summary>
internal static class Telemetry
{
    internal const string SystemTag = "messaging.system";
    internal const string SystemValue = "errand";
    internal const string OperationNameTag = "messaging.operation.name";
    internal const string OperationTypeTag = "messaging.operation.type";
    internal const string QueueTag = "messaging.destination.name";
    internal const string IdTag = "messaging.message.id";
    internal const string BatchSizeTag = "messaging.batch.message_count";
    internal const string ErrorTag = "error.type";
    internal const string TaskNameTag = "errand.task.name";
    internal const string AttemptTag = "errand.task.attempt";
    internal const string EpochTag = "errand.task.epoch";
    internal const string OutcomeTag = "errand.outcome";

    /// <summary>From a microsecond's turn in memory to an hour's handler.</summary>
    private static readonly InstrumentAdvice<double> Seconds = new()
    {
        HistogramBucketBoundaries = [0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30, 60, 300, 3_600],
    };

    internal static readonly ActivitySource Source = new(ErrandTelemetry.ActivitySourceName);

    private static readonly Meter Meter = new(ErrandTelemetry.MeterName);

    internal static readonly Counter<long> Enqueued =
        Meter.CreateCounter<long>("messaging.client.sent.messages", "{message}", "Tasks enqueued.");

    internal static readonly Counter<long> Started =
        Meter.CreateCounter<long>("messaging.client.consumed.messages", "{message}", "Attempts started.");

    internal static readonly Counter<long> Settled =
        Meter.CreateCounter<long>("errand.tasks.settled", "{task}", "Attempts settled, by outcome.");

    internal static readonly Histogram<double> OperationDuration = Meter.CreateHistogram(
        "messaging.client.operation.duration", "s", "How long calls to the store take.", null, Seconds);

    internal static readonly Histogram<double> ProcessDuration = Meter.CreateHistogram(
        "messaging.process.duration", "s", "How long handlers run.", null, Seconds);

    internal static readonly Histogram<double> Lag = Meter.CreateHistogram(
        "errand.queue.lag", "s", "How long after they were due tasks are started.", null, Seconds);

    internal static readonly Gauge<double> OldestAge = Meter.CreateGauge<double>(
        "errand.queue.oldest_age", "s", "How long the task has been due that waits longest.");

    internal static readonly Counter<long> Stuck = Meter.CreateCounter<long>(
        "errand.handlers.stuck", "{handler}", "Handlers that ran on for long after their token was cancelled.");

    internal static readonly Counter<long> LeasesLost =
        Meter.CreateCounter<long>("errand.leases.lost", "{lease}", "Worker incarnations that lost their lease.");

    internal static readonly Histogram<int> TurnSize = Meter.CreateHistogram(
        "errand.turn.size", "{operation}", "Operations that one transaction of the store's writer carried out.", null,
        new InstrumentAdvice<int> { HistogramBucketBoundaries = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 10_000] });

    internal static TagList TagsOf(string queue, string name) =>
        new() { { SystemTag, SystemValue }, { QueueTag, queue }, { TaskNameTag, name } };

    /// <summary>Whether there is a trace to go on with, or somebody to begin one for.</summary>
    internal static bool IsTraced => Activity.Current is not null || Source.HasListeners();

    /// <summary>Begins the span of an enqueue; its context travels in the tasks.</summary>
    internal static Activity? StartSend(string queue, int count)
    {
        var activity = Source.StartActivity($"send {queue}", ActivityKind.Producer);
        if (activity is { IsAllDataRequested: true })
        {
            Describe(activity, "enqueue", "send", queue);
            if (count > 1)
            {
                activity.SetTag(BatchSizeTag, count);
            }
        }

        return activity;
    }

    /// <summary>What of the current trace is stored in a task: W3C traceparent, and tracestate after a space if there is one.</summary>
    internal static string? CurrentTrace() => Activity.Current switch
    {
        { IdFormat: ActivityIdFormat.W3C, TraceStateString: { Length: > 0 } state } current => $"{current.Id} {state}",
        { IdFormat: ActivityIdFormat.W3C } current => current.Id,
        _ => null,
    };

    /// <summary>
    /// Begins the span of an attempt: a trace of its own, since it may run days later and several times, linked to the one that
    /// enqueued it.
    /// </summary>
    internal static Activity? StartProcess(ReservedTask task)
    {
        if (!Source.HasListeners())
        {
            return null;
        }

        var trace = task.Trace?.Split(' ', 2) ?? [];
        ActivityLink[] links =
            ActivityContext.TryParse(trace.FirstOrDefault(), trace.ElementAtOrDefault(1), isRemote: true, out var producer)
                ? [new(producer)]
                : [];
        var activity = Source.StartActivity(
            $"process {task.Queue}", ActivityKind.Consumer, default(ActivityContext), tags: null, links: links);
        if (activity is { IsAllDataRequested: true })
        {
            Describe(activity, "process", "process", task.Queue);
            activity.SetTag(IdTag, task.Lease.Id.Value).SetTag(TaskNameTag, task.Name)
                .SetTag(AttemptTag, task.Attempt).SetTag(EpochTag, task.Lease.Epoch);
        }

        return activity;
    }

    internal static void Fail(Activity? activity, Exception exception)
    {
        activity?.SetStatus(ActivityStatusCode.Error, ErrorText.Of(exception).Split('\n', 2)[0]); // Its own text may throw.
        activity?.SetTag(ErrorTag, exception.GetType().FullName);
    }

    private static void Describe(Activity activity, string operation, string type, string queue) =>
        activity.SetTag(SystemTag, SystemValue).SetTag(OperationNameTag, operation).SetTag(OperationTypeTag, type)
            .SetTag(QueueTag, queue);
}
