using Errand.Sqlite;
using Errand.TestKit;

namespace Errand.Tests;

/// <summary>A cancellation is told by why the token was cancelled, not by what the handler throws then.</summary>
public sealed class CauseTests : IAsyncDisposable
{
    private static readonly TimeSpan Bound = Eventually.Bound;

    private readonly SqliteBackend _backend = new(":memory:");
    private readonly RecordingLogger<TaskWorker> _log = new();
    private readonly TaskQueue _queue;
    private readonly TaskCompletionSource _started = new();

    public CauseTests() => _queue = new TaskQueue(_backend);

    public async ValueTask DisposeAsync() => await _backend.DisposeAsync();

    /// <summary>What a handler throws when its token is cancelled, and whether that is or holds a cancellation.</summary>
    public static TheoryData<string, bool> Ends => new()
    {
        { "cancelled", true }, { "aggregate", true }, { "wrapped", true }, { "deep", true }, { "other", false }, { "fails", false },
    };

    private TaskWorker Worker(string end, TaskWorkerOptions? options = null) => new(
        _backend,
        new TaskHandlers().Add<Ping>(async (_, context) =>
        {
            _started.TrySetResult();
            await Task.Delay(Timeout.Infinite, context.CancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            throw Thrown(end);
        }),
        options,
        _log);

    private static Exception Thrown(string end) => end switch
    {
        "cancelled" => new OperationCanceledException("stop"),
        "aggregate" => new AggregateException(new TaskCanceledException("stop")),
        "wrapped" => new InvalidOperationException("wrapped", new OperationCanceledException("stop")),
        "deep" => new AggregateException(new FormatException(), new IOException("io", new AggregateException(new TaskCanceledException()))),
        "fails" => new FailTaskException("permanent"),
        _ => new FormatException("other"),
    };

    [Theory]
    [MemberData(nameof(Ends))]
    public async Task A_stop_releases_the_task_uncharged_even_on_its_last_attempt(string end, bool isCancellation)
    {
        await using var worker = Worker(end, new TaskWorkerOptions { ShutdownGrace = TimeSpan.Zero });
        await worker.StartAsync();
        var handle = await _queue.EnqueueAsync(new Ping(), new EnqueueOptions { Retry = RetryPolicy.None });
        await _started.Task.WaitAsync(Bound);

        await worker.StopAsync().WaitAsync(Bound);

        var task = await ((IQueueInspector)_backend).FindAsync(handle.Id);
        Assert.Equal((TaskState.Pending, 0), (task!.State, task.Attempt));
        Assert.True(_log.Has(205));
        _ = isCancellation;
    }

    [Theory]
    [MemberData(nameof(Ends))]
    public async Task A_timeout_is_a_TimeoutException_for_the_policy_wherever_the_cancellation_is_wrapped(string end, bool isCancellation)
    {
        var seen = new TaskCompletionSource<Exception>();
        await using var worker = Worker(end, new TaskWorkerOptions
        {
            OnFailure = failed =>
            {
                seen.TrySetResult(failed.Exception);
                return RetryDecision.ByPolicy;
            },
        });
        await worker.StartAsync();
        var handle = await _queue.EnqueueAsync(
            new Ping(), new EnqueueOptions { Retry = RetryPolicy.None, Timeout = TimeSpan.FromMilliseconds(10) });
        var result = await _queue.GetResultAsync(handle.Id, Bound);

        Assert.Equal((TaskState.Failed, 1), (result!.State, result.Attempts));
        Assert.Equal(isCancellation, result.Error!.Contains("after its timeout of 00:00:00.01", StringComparison.Ordinal));
        if (end != "fails") // The handler's own word is not asked about.
        {
            Assert.Equal(isCancellation, await seen.Task.WaitAsync(Bound) is TimeoutException);
        }
    }

    [Theory]
    [MemberData(nameof(Ends))]
    public async Task A_requested_cancel_ends_the_task_as_cancelled_and_keeps_an_error_of_its_own(string end, bool isCancellation)
    {
        await using var worker = Worker(end);
        await worker.StartAsync();
        var handle = await _queue.EnqueueAsync(new Ping());
        await _started.Task.WaitAsync(Bound);
        await _queue.CancelAsync(handle.Id);
        var result = await _queue.GetResultAsync(handle.Id, Bound);
        Assert.Equal((TaskState.Cancelled, isCancellation), (result!.State, result.Error is null));
    }

    [Fact]
    public async Task A_cancellation_that_nobody_of_ours_asked_for_is_a_failed_attempt()
    {
        await using var worker = new TaskWorker(
            _backend, new TaskHandlers().Add<Ping>((_, _) => throw new TaskCanceledException("a client's own timeout")), null, _log);
        await worker.StartAsync();
        var handle = await _queue.EnqueueAsync(new Ping(), new EnqueueOptions { Retry = RetryPolicy.None });
        var result = await _queue.GetResultAsync(handle.Id, Bound);
        Assert.Equal((TaskState.Failed, 1), (result!.State, result.Attempts));
        Assert.Contains("a client's own timeout", result.Error, StringComparison.Ordinal);
    }
}
