using System.Diagnostics;
using System.Diagnostics.Metrics;
using System.Runtime.CompilerServices;
using System.Runtime.Loader;
using Errand.Sqlite;
using Errand.TestKit;
using Microsoft.Extensions.Logging;

namespace Errand.Tests;

/// <summary>Listeners and loggers are the user's code: they may throw or hang, and neither costs a task, a slot or a thread.</summary>
[Collection(nameof(TelemetryTests))] // A listener that throws keeps measurements from the listeners after it.
public sealed class ListenerTests
{
    private static readonly TimeSpan Bound = Eventually.Bound;

    private static readonly TaskWorkerOptions OneSlot = new()
    {
        Concurrency = 1, Lease = TimeSpan.FromSeconds(2), Heartbeat = TimeSpan.FromMilliseconds(20),
    };

    public static TheoryData<string> Instruments =>
    [
        "messaging.client.sent.messages", "messaging.client.consumed.messages", "errand.tasks.settled",
        "messaging.client.operation.duration", "messaging.process.duration", "errand.queue.lag", "errand.queue.oldest_age",
        "errand.turn.size",
    ];

    [Theory]
    [MemberData(nameof(Instruments))]
    public async Task A_metric_listener_that_throws_costs_nothing(string instrument)
    {
        var thrown = 0;
        using var listener = new MeterListener
        {
            InstrumentPublished = (published, listener) =>
            {
                if (published.Meter.Name == ErrandTelemetry.MeterName && published.Name == instrument)
                {
                    listener.EnableMeasurementEvents(published);
                }
            },
        };
        listener.SetMeasurementEventCallback<int>((_, _, _, _) => Throw());
        listener.SetMeasurementEventCallback<long>((_, _, _, _) => Throw());
        listener.SetMeasurementEventCallback<double>((_, _, _, _) => Throw());
        listener.Start();

        await RunAsync(() => Volatile.Read(ref thrown) > 0);

        void Throw()
        {
            Interlocked.Increment(ref thrown);
            throw new FormatException(instrument);
        }
    }

    [Theory]
    [InlineData("sample")]
    [InlineData("started")]
    [InlineData("stopped")]
    public async Task An_activity_listener_that_throws_costs_nothing_and_leaves_the_callers_activity_current(string moment)
    {
        var mine = Guid.NewGuid().ToString();
        using var listener = new ActivityListener
        {
            ShouldListenTo = source => source.Name == ErrandTelemetry.ActivitySourceName,
            Sample = (ref ActivityCreationOptions<ActivityContext> _) =>
                moment == "sample" ? throw new FormatException(mine) : ActivitySamplingResult.AllDataAndRecorded,
            ActivityStarted = _ => Throw("started"),
            ActivityStopped = _ => Throw("stopped"),
        };
        ActivitySource.AddActivityListener(listener);
        using var own = new Activity("own").Start();

        await RunAsync(() => true);

        Assert.Same(own, Activity.Current);
        void Throw(string when)
        {
            if (when == moment)
            {
                throw new FormatException(mine);
            }
        }
    }

    /// <summary>They are told of what there is when Errand is first used: here, in a copy of its assembly that nothing has used.</summary>
    [Fact]
    public void Listeners_that_throw_when_they_are_told_of_an_instrument_or_a_source_cost_nothing()
    {
        var thrown = new List<string>();
        var throwsOn = 0;
        using var metrics = new MeterListener { InstrumentPublished = (instrument, _) => Throw(instrument.Meter.Name, instrument.Name) };
        using var traces = new ActivityListener { ShouldListenTo = source => Throw(source.Name, "a source") };
        metrics.Start();
        ActivitySource.AddActivityListener(traces);
        var unused = new AssemblyLoadContext(nameof(ListenerTests), isCollectible: true);
        var copy = unused.LoadFromAssemblyPath(typeof(TaskQueue).Assembly.Location);

        throwsOn = Environment.CurrentManagedThreadId; // Not on those of other tests, which may make theirs meanwhile.
        RuntimeHelpers.RunClassConstructor(copy.GetType("Errand.Diagnostics.Telemetry", throwOnError: true)!.TypeHandle);
        RuntimeHelpers.RunClassConstructor(copy.GetType("Errand.Diagnostics.Span", throwOnError: true)!.TypeHandle);
        throwsOn = 0;

        string[] told = ["a source", "errand.handlers.stuck", "errand.leases.lost", .. Instruments.Select(one => one.Data)];
        Assert.Equal(told.Order(StringComparer.Ordinal), thrown.Order(StringComparer.Ordinal));
        unused.Unload();

        bool Throw(string whose, string what)
        {
            if (Environment.CurrentManagedThreadId == throwsOn && whose is ErrandTelemetry.MeterName)
            {
                thrown.Add(what);
                throw new FormatException(what);
            }

            return false;
        }
    }

    /// <summary>Runs some tasks, and the worker until the listener was called: some measurements come with its heartbeats.</summary>
    private static async Task RunAsync(Func<bool> wasCalled)
    {
        await using var backend = new SqliteBackend(":memory:");
        await using var queue = new TaskQueue(backend);
        var log = new RecordingLogger<TaskWorker>();
        var handlers = new TaskHandlers().Add<Add, int>(
            (task, context) => context.Attempt < 2 && task.Left == 2 ? throw new FormatException("not yet") : task.Left);
        await using var worker = new TaskWorker(backend, handlers, OneSlot, log);
        await worker.StartAsync();
        var retry = RetryPolicy.Fixed(TimeSpan.FromMilliseconds(1));
        for (var i = 0; i < 4; i++)
        {
            Assert.Equal(i, await (await queue.EnqueueAsync(new Add(i, 0), new EnqueueOptions { Retry = retry })).WaitAsync(Bound));
        }

        await Eventually.TrueAsync(wasCalled, "the listener was called");
        Assert.DoesNotContain(log.Entries, entry => entry.Level >= LogLevel.Error);
    }

    /// <summary>A logger that does not return before it is let go.</summary>
    private sealed class HangingLogger<T> : ILogger<T>
    {
        public ManualResetEventSlim LetGo { get; } = new();

        public TaskCompletionSource Reached { get; } = new();

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel)
        {
            Reached.TrySetResult();
            LetGo.Wait();
            return true;
        }

        public void Log<TState>(
            LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
        }
    }

    [Fact]
    public async Task A_logger_that_hangs_delays_no_enqueue()
    {
        var logger = new HangingLogger<SqliteBackend>();
        await using var backend = new SqliteBackend(":memory:", null, logger);
        await using var queue = new TaskQueue(backend);
        await using var worker = new TaskWorker(backend, new TaskHandlers().Add<Add, int>((task, _) => task.Left));
        await worker.StartAsync();
        await queue.EnqueueAsync(new Ping()); // Nobody knows it: the writer says so.
        await logger.Reached.Task.WaitAsync(Bound);

        for (var i = 0; i < 10; i++)
        {
            Assert.Equal(i, await (await queue.EnqueueAsync(new Add(i, 0))).WaitAsync(Bound));
        }

        logger.LetGo.Set();
    }

    [Fact]
    public async Task A_metric_listener_that_hangs_delays_neither_the_writer_nor_a_heartbeat()
    {
        using var letGo = new ManualResetEventSlim();
        using var listener = new MeterListener
        {
            InstrumentPublished = (published, listener) =>
            {
                if (published.Meter.Name == ErrandTelemetry.MeterName && published.Name is "errand.turn.size" or "errand.queue.oldest_age")
                {
                    listener.EnableMeasurementEvents(published);
                }
            },
        };
        listener.SetMeasurementEventCallback<int>((_, _, _, _) => letGo.Wait());
        listener.SetMeasurementEventCallback<double>((_, _, _, _) => letGo.Wait());
        listener.Start();
        await using var inner = new SqliteBackend(":memory:");
        var beats = 0;
        var backend = FaultyBackend.Over(inner, (call, _) =>
        {
            Interlocked.Add(ref beats, call == nameof(IBackend.Heartbeat) ? 1 : 0);
            return null;
        });
        await using var queue = new TaskQueue(backend);
        await using var worker = new TaskWorker(backend, new TaskHandlers().Add<Add, int>((task, _) => task.Left), OneSlot);
        await worker.StartAsync();
        var done = queue.EnqueueAsync(new Add(1, 0));
        var handle = await done.WaitAsync(Bound);
        Assert.Equal(1, await handle.WaitAsync(Bound));
        var before = Volatile.Read(ref beats);
        await Eventually.TrueAsync(() => Volatile.Read(ref beats) > before + 10, "the heartbeats go on");
        letGo.Set();
    }
}
