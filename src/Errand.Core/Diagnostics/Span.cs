using System.Diagnostics;
using Errand.Running;

namespace Errand.Diagnostics;

/// <summary>
/// A span of a trace, or nothing where nobody listens. A listener is the user's code: what it throws is dropped, and the caller's
/// own activity is current again afterwards.
/// </summary>
internal readonly struct Span : IDisposable
{
    private static readonly ActivitySource? Source = MakeSource();

    private readonly Activity? _activity;
    private readonly Activity? _before;

    private Span(Func<Activity?> start)
    {
        _before = Activity.Current;
        try
        {
            _activity = start();
        }
        catch (Exception)
        {
            Activity.Current = _before;
        }
    }

    /// <summary>Whether there is a trace to go on with, or somebody to begin one for.</summary>
    internal static bool IsTraced => Activity.Current is not null || HasListeners;

    private static bool HasListeners => Source?.HasListeners() == true;

    /// <summary>Begins the span of an enqueue; its context travels in the tasks.</summary>
    internal static Span StartSend(string queue, int count, MeasuredBackend backend) => new(() =>
    {
        var activity = Source?.StartActivity($"enqueue {queue}", ActivityKind.Producer);
        if (activity is { IsAllDataRequested: true })
        {
            Describe(activity, "enqueue", "send", queue, backend);
            if (count > 1)
            {
                activity.SetTag(Telemetry.BatchSizeTag, count);
            }
        }

        return activity;
    });

    /// <summary>What of the current trace is stored in a task: W3C traceparent and tracestate.</summary>
    internal static (string? Parent, string? State) CurrentTrace() =>
        Activity.Current is { IdFormat: ActivityIdFormat.W3C } current ? (current.Id, current.TraceStateString) : default;

    /// <summary>
    /// Begins the span of an attempt: a trace of its own, since it may run days later and several times, linked to the one that
    /// enqueued it.
    /// </summary>
    internal static Span StartProcess(ReservedTask task, IBackend backend) => HasListeners ? new(() =>
    {
        var (parent, state) = TaskHeaders.TraceOf(task.Headers);
        ActivityLink[] links = ActivityContext.TryParse(parent, state, isRemote: true, out var producer) ? [new(producer)] : [];
        var activity = Source?.StartActivity(
            $"process {task.Queue}", ActivityKind.Consumer, default(ActivityContext), tags: null, links: links);
        if (activity is { IsAllDataRequested: true })
        {
            Describe(activity, "process", "process", task.Queue, backend);
            Describe(activity, task);
        }

        return activity;
    }) : default;

    /// <summary>Whether the write of an outcome belongs to a trace that somebody listens to.</summary>
    internal static bool IsSettleTraced(ActivityContext attempt) => attempt.SpanId != default && HasListeners;

    /// <summary>Begins the span in which the outcome of an attempt is written, in the attempt's trace.</summary>
    internal static Span StartSettle(ReservedTask task, Settlement settlement, ActivityContext attempt, IBackend backend) => new(() =>
    {
        var operation = MeasuredBackend.OperationOf(settlement);
        var activity = Source?.StartActivity($"{operation} {task.Queue}", ActivityKind.Client, attempt);
        if (activity is { IsAllDataRequested: true })
        {
            Describe(activity, operation, "settle", task.Queue, backend);
            Describe(activity, task);
        }

        return activity;
    });

    /// <summary>What spans that come after this one name as their parent; default where nobody listens.</summary>
    internal ActivityContext Context => _activity?.Context ?? default;

    /// <summary>As text: the conventions say so.</summary>
    internal void NoteId(TaskId id) => _activity?.SetTag(Telemetry.IdTag, id.ToString());

    internal void Fail(Exception exception)
    {
        if (_activity is { } activity)
        {
            activity.SetStatus(ActivityStatusCode.Error, ErrorText.Of(exception).Split('\n', 2)[0]); // Its own text may throw.
            activity.SetTag(Telemetry.ErrorTag, exception.GetType().FullName);
        }
    }

    public void Dispose()
    {
        try
        {
            _activity?.Dispose();
        }
        catch (Exception)
        {
            Activity.Current = _before;
        }
    }

    /// <summary>Listeners are asked about a source while it is made. Null where one of them throws: nothing is traced then.</summary>
    private static ActivitySource? MakeSource()
    {
        try
        {
            return new ActivitySource(ErrandTelemetry.ActivitySourceName);
        }
        catch (Exception)
        {
            return null;
        }
    }

    private static void Describe(Activity activity, string operation, string type, string queue, IBackend backend)
    {
        var server = (backend as MeasuredBackend)?.Server;
        activity.SetTag(Telemetry.SystemTag, Telemetry.SystemValue).SetTag(Telemetry.OperationNameTag, operation)
            .SetTag(Telemetry.OperationTypeTag, type).SetTag(Telemetry.QueueTag, queue)
            .SetTag(Telemetry.AddressTag, server?.Address).SetTag(Telemetry.PortTag, server?.Address is null ? null : server.Port);
    }

    private static void Describe(Activity activity, ReservedTask task) =>
        activity.SetTag(Telemetry.IdTag, task.Lease.Id.ToString()).SetTag(Telemetry.TaskNameTag, task.Name)
            .SetTag(Telemetry.AttemptTag, task.Attempt).SetTag(Telemetry.EpochTag, task.Lease.Epoch);
}
