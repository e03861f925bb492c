using System.Diagnostics;
using System.Diagnostics.Metrics;

namespace Errand.Diagnostics;

/// <summary>
/// Every instrument, by OpenTelemetry's conventions for messaging where they have a word
/// (https://opentelemetry.io/docs/specs/semconv/messaging/), else under <c>errand</c>.
/// </summary>
/// <remarks>
/// A listener is the user's code: what it throws is dropped. What the writers and the heartbeat threads measure is handed over, so that
/// a slow listener does not delay them.
/// </remarks>
internal static class Telemetry
{
    internal const string SystemTag = "messaging.system";
    internal const string SystemValue = "errand";
    internal const string OperationNameTag = "messaging.operation.name";
    internal const string OperationTypeTag = "messaging.operation.type";
    internal const string QueueTag = "messaging.destination.name";
    internal const string IdTag = "messaging.message.id";
    internal const string AddressTag = "server.address";
    internal const string PortTag = "server.port";
    internal const string BatchSizeTag = "messaging.batch.message_count";
    internal const string ErrorTag = "error.type";
    internal const string TaskNameTag = "errand.task.name";
    internal const string AttemptTag = "errand.task.attempt";
    internal const string EpochTag = "errand.task.epoch";
    internal const string OutcomeTag = "errand.outcome";

    /// <summary>The conventions' own boundaries, for the two histograms that they name.</summary>
    private static readonly InstrumentAdvice<double> ConventionalSeconds = new()
    {
        HistogramBucketBoundaries = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10],
    };

    /// <summary>From a task that starts at once to one that waits for an hour.</summary>
    private static readonly InstrumentAdvice<double> LagSeconds = new()
    {
        HistogramBucketBoundaries = [0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30, 60, 300, 3_600],
    };

    private static readonly Meter Meter = new(ErrandTelemetry.MeterName);

    private static readonly Counter<long> Enqueued =
        Made(static meter => meter.CreateCounter<long>("messaging.client.sent.messages", "{message}", "Tasks enqueued."));

    private static readonly Counter<long> Started =
        Made(static meter => meter.CreateCounter<long>("messaging.client.consumed.messages", "{message}", "Attempts started."));

    private static readonly Counter<long> Settled =
        Made(static meter => meter.CreateCounter<long>("errand.tasks.settled", "{task}", "Attempts settled, by outcome."));

    private static readonly Histogram<double> OperationDuration = Made(static meter => meter.CreateHistogram(
        "messaging.client.operation.duration", "s", "How long calls to the store take.", null, ConventionalSeconds));

    private static readonly Histogram<double> ProcessDuration = Made(static meter => meter.CreateHistogram(
        "messaging.process.duration", "s", "How long handlers run.", null, ConventionalSeconds));

    private static readonly Histogram<double> Lag = Made(static meter => meter.CreateHistogram(
        "errand.queue.lag", "s", "How long after they were due tasks are started.", null, LagSeconds));

    private static readonly Gauge<double> OldestAge = Made(static meter => meter.CreateGauge<double>(
        "errand.queue.oldest_age", "s", "How long the task has been due that waits longest."));

    private static readonly Counter<long> Stuck = Made(static meter => meter.CreateCounter<long>(
        "errand.handlers.stuck", "{handler}", "Handlers that ran on for long after their token was cancelled."));

    private static readonly Counter<long> LeasesLost =
        Made(static meter => meter.CreateCounter<long>("errand.leases.lost", "{lease}", "Worker incarnations that lost their lease."));

    private static readonly Histogram<int> TurnSize = Made(static meter => meter.CreateHistogram(
        "errand.turn.size", "{operation}", "Operations that one transaction of the store's writer carried out.", null,
        new InstrumentAdvice<int> { HistogramBucketBoundaries = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 10_000] }));

    internal static bool MeasuresCalls => OperationDuration.Enabled || Enqueued.Enabled;

    internal static bool MeasuresOldestAge => OldestAge.Enabled;

    internal static void CountEnqueued(string operation, string queue, string name, IServerAddress? server)
    {
        if (Enqueued.Enabled)
        {
            Quietly.Run((operation, queue, name, server), static task =>
            {
                var tags = TagsOf(task.operation, task.queue, task.server);
                tags.Add(TaskNameTag, task.name);
                Enqueued.Add(1, tags);
            });
        }
    }

    /// <param name="operation">The name of the call.</param>
    /// <param name="type">The conventions' word for its kind; null where they have none.</param>
    /// <param name="queue">The queue of every task in it; null where it has several, or is not known.</param>
    /// <param name="server">Where the store is; null for none.</param>
    /// <param name="duration">How long it took.</param>
    /// <param name="error">The type of its exception; null where it succeeded.</param>
    internal static void RecordCall(
        string operation, string? type, string? queue, IServerAddress? server, TimeSpan duration, string? error)
    {
        if (OperationDuration.Enabled)
        {
            Quietly.Run((operation, type, queue, server, duration, error), static call =>
            {
                var tags = TagsOf(call.operation, call.queue, call.server);
                if (call.type is not null)
                {
                    tags.Add(OperationTypeTag, call.type);
                }

                AddError(ref tags, call.error);
                OperationDuration.Record(call.duration.TotalSeconds, tags);
            });
        }
    }

    internal static void CountStarted(ReservedTask task, TimeProvider time, IBackend backend)
    {
        if (Started.Enabled)
        {
            Quietly.Run((task, backend), static start => Started.Add(1, TagsOf("process", start.task, start.backend)));
        }

        if (Lag.Enabled)
        {
            Quietly.Run((task, time), static start => Lag.Record(
                Math.Max(0, (start.time.GetUtcNow() - start.task.DueAt).TotalSeconds), TagsOf(start.task)));
        }
    }

    internal static bool MeasuresHandlers => ProcessDuration.Enabled;

    internal static void RecordHandler(ReservedTask task, IBackend backend, TimeSpan duration, Exception? error) =>
        Quietly.Run((task, backend, duration, error), static run =>
        {
            var tags = TagsOf("process", run.task, run.backend);
            AddError(ref tags, run.error?.GetType().FullName);
            ProcessDuration.Record(run.duration.TotalSeconds, tags);
        });

    internal static void CountSettled(ReservedTask task, string outcome)
    {
        if (Settled.Enabled)
        {
            Quietly.Run((task, outcome), static settled =>
            {
                var tags = TagsOf(settled.task);
                tags.Add(OutcomeTag, settled.outcome);
                Settled.Add(1, tags);
            });
        }
    }

    internal static void RecordOldestAge(TimeSpan age) => Quietly.Run(age, static age => OldestAge.Record(age.TotalSeconds));

    internal static void CountStuck(ReservedTask task) => Quietly.Run(task, static task => Stuck.Add(1, TagsOf(task)));

    /// <summary>On a heartbeat thread or the worker's loop.</summary>
    internal static void CountLeaseLost()
    {
        if (LeasesLost.Enabled)
        {
            ReportQueue.OfTelemetry.Add(static () => LeasesLost.Add(1));
        }
    }

    /// <summary>On a writer's thread.</summary>
    internal static void RecordTurn(int operations)
    {
        if (TurnSize.Enabled)
        {
            ReportQueue.OfTelemetry.Add(() => TurnSize.Record(operations));
        }
    }

    /// <summary>
    /// Listeners are told of an instrument while it is made. Where one of them throws, an instrument takes its place that nobody
    /// is told of, so that nobody gets its values.
    /// </summary>
    private static T Made<T>(Func<Meter, T> make)
        where T : Instrument
    {
        try
        {
            return make(Meter);
        }
        catch (Exception)
        {
            var silent = new Meter(ErrandTelemetry.MeterName);
            silent.Dispose();
            return make(silent);
        }
    }

    private static TagList TagsOf(ReservedTask task) =>
        new() { { SystemTag, SystemValue }, { QueueTag, task.Queue }, { TaskNameTag, task.Name } };

    private static TagList TagsOf(string operation, ReservedTask task, IBackend backend)
    {
        var tags = TagsOf(operation, task.Queue, (backend as MeasuredBackend)?.Server);
        tags.Add(TaskNameTag, task.Name);
        return tags;
    }

    private static void AddError(ref TagList tags, string? error)
    {
        if (error is not null)
        {
            tags.Add(ErrorTag, error);
        }
    }

    private static TagList TagsOf(string operation, string? queue, IServerAddress? server)
    {
        var tags = new TagList { { SystemTag, SystemValue }, { OperationNameTag, operation } };
        if (queue is not null)
        {
            tags.Add(QueueTag, queue);
        }

        if (server?.Address is { } address)
        {
            tags.Add(AddressTag, address);
            if (server.Port is { } port)
            {
                tags.Add(PortTag, port);
            }
        }

        return tags;
    }
}
