using System.Diagnostics;
using System.Reflection;
using Errand.Diagnostics;
using Errand.Sqlite;
using Errand.TestKit;
using OpenTelemetry;
using OpenTelemetry.Metrics;
using OpenTelemetry.Trace;

namespace Errand.Tests;

/// <summary>Spans and metrics as OpenTelemetry's own SDK reads them. Each test has a queue name of its own to tell them by.</summary>
[Collection(nameof(TelemetryTests))]
public sealed class TelemetryTests : IAsyncDisposable
{
    private readonly List<Activity> _spans = [];
    private readonly Dictionary<string, double[]> _buckets = []; // Under the lock of the points.
    private readonly Dictionary<string, List<(IReadOnlyDictionary<string, object?> Tags, double Value)>> _points = [];
    private readonly TracerProvider _tracer;
    private readonly MeterProvider _meter;
    private readonly SqliteBackend _backend = new(":memory:");
    private readonly TaskQueue _queue;
    private readonly string _name = $"q-{Guid.NewGuid():N}";

    public TelemetryTests()
    {
        _tracer = Sdk.CreateTracerProviderBuilder().AddErrandInstrumentation()
            .AddProcessor(new SimpleActivityExportProcessor(new Spans(this))).Build();
        _meter = Sdk.CreateMeterProviderBuilder().AddErrandInstrumentation()
            .AddReader(new BaseExportingMetricReader(new Points(this))).Build();
        _queue = new TaskQueue(_backend);
    }

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public async ValueTask DisposeAsync()
    {
        await _queue.DisposeAsync();
        await _backend.DisposeAsync();
        _tracer.Dispose();
        _meter.Dispose();
    }

    [Fact]
    public async Task The_span_of_an_attempt_is_linked_to_that_of_its_enqueue_and_each_attempt_has_its_own()
    {
        ActivityTraceId caller;
        using (var request = new Activity("request").Start())
        {
            request.ActivityTraceFlags = ActivityTraceFlags.Recorded;
            request.TraceStateString = "vendor=1";
            caller = request.TraceId;
            await RunAsync(failures: 1);
        }

        var send = Assert.Single(Mine("enqueue "));
        var attempts = Mine("process ").OrderBy(span => span.StartTimeUtc).ToList();
        Assert.Equal((ActivityKind.Producer, caller), (send.Kind, send.TraceId));
        Assert.Equal(("enqueue", "send"), (send.GetTagItem("messaging.operation.name"), send.GetTagItem("messaging.operation.type")));
        Assert.IsType<string>(send.GetTagItem("messaging.message.id"));
        Assert.Null(send.GetTagItem("server.address")); // A file has none.
        Assert.Equal(2, attempts.Count);
        Assert.All(attempts, attempt =>
        {
            Assert.Equal(ActivityKind.Consumer, attempt.Kind);
            Assert.NotEqual(caller, attempt.TraceId);
            var link = Assert.Single(attempt.Links).Context;
            Assert.Equal((caller, send.SpanId, "vendor=1"), (link.TraceId, link.SpanId, link.TraceState));
            Assert.Equal("errand", attempt.GetTagItem("messaging.system"));
            Assert.Equal("process", attempt.GetTagItem("messaging.operation.type"));
            Assert.Equal(_name, attempt.GetTagItem("messaging.destination.name"));
            Assert.Equal("measured", attempt.GetTagItem("errand.task.name"));
            Assert.Equal(send.GetTagItem("messaging.message.id"), attempt.GetTagItem("messaging.message.id"));
        });
        Assert.Equal((ActivityStatusCode.Error, 1), (attempts[0].Status, attempts[0].GetTagItem("errand.task.attempt")));
        Assert.Equal(typeof(InvalidOperationException).FullName, attempts[0].GetTagItem("error.type"));
        Assert.Equal((ActivityStatusCode.Unset, 2), (attempts[1].Status, attempts[1].GetTagItem("errand.task.attempt")));
    }

    [Fact]
    public async Task The_write_of_an_outcome_is_a_child_of_its_attempt()
    {
        await RunAsync(failures: 1);
        var attempts = Mine("process ").OrderBy(span => span.StartTimeUtc).ToList();
        foreach (var (settle, attempt) in new[] { Assert.Single(Mine("mark_failure ")), Assert.Single(Mine("mark_success ")) }.Zip(attempts))
        {
            Assert.Equal((ActivityKind.Client, attempt.TraceId, attempt.SpanId), (settle.Kind, settle.TraceId, settle.ParentSpanId));
            Assert.Equal("settle", settle.GetTagItem("messaging.operation.type"));
            Assert.Equal(settle.DisplayName, $"{settle.GetTagItem("messaging.operation.name")} {_name}");
            Assert.Equal(attempt.GetTagItem("messaging.message.id"), settle.GetTagItem("messaging.message.id"));
        }
    }

    [Fact]
    public async Task A_store_on_a_server_names_it_in_spans_and_metrics()
    {
        var backend = DispatchProxy.Create<IBackend, OnAServer>();
        ((OnAServer)(object)backend).Inner = _backend;
        await RunAsync(failures: 0, backend);
        _meter.ForceFlush();
        Assert.All(
            [.. Mine("enqueue "), .. Mine("process "), .. Mine("mark_success ")],
            span => Assert.Equal(("db.example.org", 5433), (span.GetTagItem("server.address"), span.GetTagItem("server.port"))));
        foreach (var metric in (string[])
            ["messaging.client.sent.messages", "messaging.client.consumed.messages", "messaging.process.duration", "messaging.client.operation.duration"])
        {
            Assert.Equal(1, Sum(metric, ("server.address", "db.example.org")));
        }
    }

    /// <summary>As the conventions require it: https://opentelemetry.io/docs/specs/semconv/messaging/messaging-metrics/.</summary>
    [Fact]
    public async Task Metrics_have_the_attributes_and_the_buckets_of_the_conventions()
    {
        await RunAsync(failures: 0);
        _meter.ForceFlush();
        Assert.Equal(1, Sum("messaging.client.sent.messages", ("messaging.operation.name", "enqueue")));
        Assert.Equal(1, Sum("messaging.client.consumed.messages", ("messaging.operation.name", "process")));
        Assert.Equal(1, Sum("messaging.process.duration", ("messaging.operation.name", "process")));
        Assert.Equal(1, Sum("messaging.client.operation.duration", ("messaging.operation.type", "send")));
        Assert.True(Sum("messaging.client.operation.duration", ("messaging.operation.type", "settle"), anyQueue: true) >= 1);
        double[] buckets = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, double.PositiveInfinity];
        Assert.Equal(buckets, _buckets["messaging.process.duration"]);
        Assert.Equal(buckets, _buckets["messaging.client.operation.duration"]);
    }

    [Fact]
    public async Task A_callers_trace_is_linked_even_where_nobody_listens_to_the_enqueue()
    {
        _tracer.Dispose();
        TaskId id;
        using (var request = new Activity("request").Start())
        {
            id = (await _queue.EnqueueAsync(new Measured(0), new EnqueueOptions { Queue = _name }, Token)).Id;
            var owner = await _backend.BeginWorkerAsync(new WorkerRegistration { Lease = TimeSpan.FromSeconds(30), TaskNames = ["measured"] }, Token);
            var task = Assert.Single(await _backend.ReserveAsync(
                new ReserveRequest { Owner = owner, MaxTasks = 1, Wait = TimeSpan.Zero, Queues = [_name] }, Token));
            Assert.Equal((id, $$"""{"traceparent":"{{request.Id}}"}"""), (task.Lease.Id, task.Headers));
        }
    }

    [Fact]
    public async Task Metrics_count_what_was_enqueued_started_and_settled_and_time_it()
    {
        await RunAsync(failures: 2);
        _meter.ForceFlush();
        Assert.Equal(1, Sum("messaging.client.sent.messages"));
        Assert.Equal(3, Sum("messaging.client.consumed.messages"));
        Assert.Equal(2, Sum("errand.tasks.settled", ("errand.outcome", "retried")));
        Assert.Equal(1, Sum("errand.tasks.settled", ("errand.outcome", "succeeded")));
        Assert.Equal(3, Sum("messaging.process.duration"));
        Assert.Equal(2, Sum("messaging.process.duration", ("error.type", typeof(InvalidOperationException).FullName!)));
        Assert.Equal(3, Sum("errand.queue.lag"));
        Assert.True(Sum("messaging.client.operation.duration", ("messaging.operation.name", "enqueue"), anyQueue: true) >= 1);
        Assert.True(Sum("errand.turn.size", anyQueue: true) >= 1);
    }

    [Fact]
    public async Task An_exception_whose_text_throws_fails_its_attempt_while_somebody_listens()
    {
        var handlers = new TaskHandlers().Add<Measured, int>((_, _) => throw new Spiteful());
        await using var worker = new TaskWorker(_backend, handlers, new TaskWorkerOptions { Queues = [_name] });
        await worker.StartAsync(Token);
        var options = new EnqueueOptions { Queue = _name, Retry = RetryPolicy.None };
        var handle = await _queue.EnqueueAsync(new Measured(0), options, Token);
        await Assert.ThrowsAsync<TaskFailedException>(() => handle.WaitAsync(TimeSpan.FromSeconds(30), Token));
        Assert.Equal(ActivityStatusCode.Error, Assert.Single(Mine("process ")).Status);
    }

    [Fact]
    public async Task A_lost_lease_is_counted()
    {
        _meter.ForceFlush();
        var before = Sum("errand.leases.lost", anyQueue: true);
        var logger = new RecordingLogger<TaskWorker>();
        var options = new TaskWorkerOptions { Queues = [_name], Heartbeat = TimeSpan.FromMilliseconds(10) };
        await using var worker = new TaskWorker(_backend, new TaskHandlers().Add<Measured, int>((_, _) => 0), options, logger);
        await worker.StartAsync(Token);
        var started = logger.Entries.Single(entry => entry.Id == 100).Text;
        await _backend.EndWorkerAsync(WorkerId.Parse(started.Split(' ')[1]), release: true, Token);
        await Eventually.TrueAsync(
            () =>
            {
                _meter.ForceFlush();
                return Sum("errand.leases.lost", anyQueue: true) > before;
            },
            "the lease was counted as lost");
    }

    [Fact]
    public async Task The_age_of_the_task_that_waits_longest_is_measured_with_the_heartbeats()
    {
        var options = new TaskWorkerOptions { Queues = ["another"], Heartbeat = TimeSpan.FromMilliseconds(10) };
        await using var worker = new TaskWorker(_backend, new TaskHandlers().Add<Measured, int>((_, _) => 0), options);
        await worker.StartAsync(Token);
        await _queue.EnqueueAsync(new Measured(0), new EnqueueOptions { Queue = _name }, Token);
        await Eventually.TrueAsync(
            () =>
            {
                _meter.ForceFlush();
                return Sum("errand.queue.oldest_age", anyQueue: true) > 0;
            },
            "the age was measured");
    }

    [Fact]
    public async Task A_store_that_hangs_when_it_is_inspected_delays_no_heartbeat_and_is_asked_once_for_all_its_workers()
    {
        var backend = DispatchProxy.Create<IBackend, HangsWhenInspected>();
        var hanging = (HangsWhenInspected)(object)backend;
        hanging.Inner = _backend;
        var handlers = new TaskHandlers().Add<Measured, int>((_, _) => 0);
        var options = new TaskWorkerOptions
        {
            Queues = [_name], Heartbeat = TimeSpan.FromMilliseconds(10), Lease = TimeSpan.FromSeconds(5),
        };
        await using var first = new TaskWorker(backend, handlers, options);
        await using var second = new TaskWorker(backend, handlers, options);
        await first.StartAsync(Token);
        await second.StartAsync(Token);
        await Eventually.TrueAsync(() => hanging.Inspections > 0, "the store is inspected");

        var before = hanging.Beats;
        await Eventually.TrueAsync(() => hanging.Beats > before + 20, "the heartbeats go on");

        Assert.Equal(1, hanging.Inspections);
        hanging.LetGo.Set();
        await Eventually.TrueAsync(() => hanging.Inspections > 1, "the store is inspected again");
    }

    private async Task RunAsync(int failures, IBackend? backend = null)
    {
        backend ??= _backend;
        var handlers = new TaskHandlers().Add<Measured, int>(
            (task, context) => context.Attempt > task.Failures ? 1 : throw new InvalidOperationException("as told"));
        await using var worker = new TaskWorker(backend, handlers, new TaskWorkerOptions { Queues = [_name] });
        await using var queue = new TaskQueue(backend);
        await worker.StartAsync(Token);
        var options = new EnqueueOptions { Queue = _name, Retry = new RetryPolicy { Delay = TimeSpan.Zero } };
        var handle = await queue.EnqueueAsync(new Measured(failures), options, Token);
        await handle.WaitAsync(TimeSpan.FromSeconds(30), Token);
        await worker.StopAsync(Token);
    }

    private List<Activity> Mine(string prefix)
    {
        lock (_spans)
        {
            return _spans.FindAll(span => span.DisplayName == prefix + _name);
        }
    }

    private double Sum(string metric, (string Key, string Value)? tag = null, bool anyQueue = false)
    {
        lock (_points)
        {
            return _points.GetValueOrDefault(metric, [])
                .Where(point => anyQueue || _name.Equals(point.Tags.GetValueOrDefault("messaging.destination.name")))
                .Where(point => tag is not { } wanted || wanted.Value.Equals(point.Tags.GetValueOrDefault(wanted.Key)))
                .Sum(point => point.Value);
        }
    }

    /// <summary>A backend that is on a server.</summary>
    public class OnAServer : DispatchProxy, IServerAddress
    {
        internal IBackend Inner { get; set; } = null!;

        public string? Address => "db.example.org";

        public int? Port => 5433;

        protected override object? Invoke(MethodInfo? targetMethod, object?[]? args) =>
            targetMethod!.Name == nameof(IBackend.Control) && targetMethod.GetGenericArguments()[0] == typeof(IServerAddress)
                ? this
                : targetMethod.Invoke(Inner, args);
    }

    /// <summary>A backend whose inspection blocks its caller.</summary>
    public class HangsWhenInspected : DispatchProxy
    {
        private int _beats;
        private int _inspections;

        internal IBackend Inner { get; set; } = null!;

        internal ManualResetEventSlim LetGo { get; } = new();

        internal int Beats => Volatile.Read(ref _beats);

        internal int Inspections => Volatile.Read(ref _inspections);

        protected override object? Invoke(MethodInfo? targetMethod, object?[]? args)
        {
            if (targetMethod!.Name == nameof(IBackend.Control))
            {
                Interlocked.Increment(ref _inspections);
                LetGo.Wait(Eventually.Bound);
            }

            Interlocked.Add(ref _beats, targetMethod.Name == nameof(IBackend.Heartbeat) ? 1 : 0);
            return targetMethod.Invoke(Inner, args);
        }
    }

    private sealed class Spiteful : Exception
    {
        public override string Message => throw new FormatException();

        public override string ToString() => throw new FormatException();
    }

    [TaskName("measured")]
    public sealed record Measured(int Failures) : ITask<int>;

    private sealed class Spans(TelemetryTests tests) : BaseExporter<Activity>
    {
        public override ExportResult Export(in Batch<Activity> batch)
        {
            lock (tests._spans)
            {
                foreach (var span in batch)
                {
                    tests._spans.Add(span);
                }
            }

            return ExportResult.Success;
        }
    }

    /// <summary>The latest points: sums by their value, histograms by their count.</summary>
    private sealed class Points(TelemetryTests tests) : BaseExporter<Metric>
    {
        public override ExportResult Export(in Batch<Metric> batch)
        {
            lock (tests._points)
            {
                tests._points.Clear();
                foreach (var metric in batch)
                {
                    var points = tests._points[metric.Name] = [];
                    foreach (ref readonly var point in metric.GetMetricPoints())
                    {
                        var tags = new Dictionary<string, object?>();
                        foreach (var (key, value) in point.Tags)
                        {
                            tags[key] = value;
                        }

                        if (metric.MetricType == MetricType.Histogram)
                        {
                            List<double> bounds = [];
                            foreach (var bucket in point.GetHistogramBuckets())
                            {
                                bounds.Add(bucket.ExplicitBound);
                            }

                            tests._buckets[metric.Name] = [.. bounds];
                        }

                        points.Add((tags, metric.MetricType switch
                        {
                            MetricType.LongSum => point.GetSumLong(),
                            MetricType.DoubleGauge => point.GetGaugeLastValueDouble(),
                            _ => point.GetHistogramCount(),
                        }));
                    }
                }
            }

            return ExportResult.Success;
        }
    }
}
