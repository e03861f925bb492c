using Errand.Sqlite;
using Errand.TestKit;
using Microsoft.Extensions.Logging;

namespace Errand.Core.Tests;

/// <summary>What a handler logs is kept with its attempt.</summary>
public sealed class AttemptLogTests : IAsyncDisposable
{
    private static readonly TimeSpan Bound = TimeSpan.FromSeconds(30);

    private readonly SqliteBackend _backend = new(":memory:");
    private readonly ManualTimeProvider _clock = new();
    private readonly ILoggerFactory _loggers = LoggerFactory.Create(logging => logging.AddProvider(new TaskLogProvider()).SetMinimumLevel(LogLevel.Trace));
    private readonly ILogger _log;
    private readonly TaskQueue _queue;
    private TaskWorker? _worker;

    public AttemptLogTests()
    {
        _queue = new TaskQueue(_backend);
        _log = _loggers.CreateLogger("Shop.Mailer");
    }

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public async ValueTask DisposeAsync()
    {
        await (_worker?.DisposeAsync() ?? ValueTask.CompletedTask);
        await _backend.DisposeAsync();
        _loggers.Dispose();
    }

    [Fact]
    public async Task Each_entry_is_a_line_from_the_level_on_that_is_kept()
    {
        var now = _clock.GetUtcNow().ToString("yyyy-MM-dd'T'HH:mm:ss.fff'Z'", System.Globalization.CultureInfo.InvariantCulture);
        var found = await RunAsync(LogLevel.Information, async (_, attempt) =>
        {
            _log.LogDebug("too little");
            _log.LogInformation("mail {Number} of attempt {Attempt}", 7, attempt);
            await Task.Run(() => _log.LogWarning("from another thread"));
            if (attempt == 1)
            {
                throw new FormatException("once");
            }
        });
        string Expected(int attempt) =>
            $"{now} info Shop.Mailer: mail 7 of attempt {attempt}\n{now} warn Shop.Mailer: from another thread\n";
        Assert.Equal(Expected(1), Assert.Single(found.History).Log);
        Assert.Equal(Expected(2), found.Log);
    }

    [Fact]
    public async Task An_exception_stands_after_its_line_also_where_its_text_throws()
    {
        var found = await RunAsync(LogLevel.Error, (_, _) =>
        {
            _log.LogError(new FormatException("of the mail"), "could not send");
            _log.LogCritical(new Unspeakable(), "worse");
            return Task.CompletedTask;
        });
        Assert.Contains("fail Shop.Mailer: could not send\nSystem.FormatException: of the mail\n", found.Log, StringComparison.Ordinal);
        Assert.Contains("crit Shop.Mailer: worse\nErrand.Core.Tests.AttemptLogTests+Unspeakable (its text could not be read", found.Log, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Too_much_is_counted_and_left_out()
    {
        var found = await RunAsync(LogLevel.Information, (_, _) =>
        {
            for (var i = 0; i < 1_000; i++)
            {
                _log.LogInformation("{Text}", new string('x', 200));
            }

            return Task.CompletedTask;
        });
        Assert.InRange(found.Log!.Length, 60_000, 65_536);
        var kept = found.Log.Split('\n').Count(line => line.EndsWith('x'));
        Assert.EndsWith($"xx\n({1_000 - kept} more entries were too much to keep)\n", found.Log, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Nothing_is_kept_unless_it_is_asked_for_and_nothing_of_others()
    {
        Assert.Null((await RunAsync(LogLevel.None, (_, _) =>
        {
            _log.LogError("lost");
            return Task.CompletedTask;
        })).Log);
        var ended = new TaskCompletionSource();
        var running = RunAsync(LogLevel.Trace, async (_, _) => await ended.Task);
        _log.LogError("of the caller");
        ended.SetResult();
        Assert.Null((await running).Log);
    }

    [Fact]
    public async Task A_task_that_is_put_off_keeps_the_log_of_its_last_start()
    {
        var found = await RunAsync(LogLevel.Information, (context, _) =>
        {
            _log.LogInformation("start {Epoch}", context.Epoch);
            return context.Epoch == 1 ? throw new SnoozeTaskException(TimeSpan.Zero) : Task.CompletedTask;
        });
        Assert.EndsWith("start 2\n", found.Log, StringComparison.Ordinal);
    }

    private async Task<TaskDetails> RunAsync(LogLevel level, Func<TaskContext, int, Task> handler)
    {
        await (_worker?.DisposeAsync() ?? ValueTask.CompletedTask);
        _worker = new TaskWorker(
            _backend, new TaskHandlers().Add<Mail>((_, context) => handler(context, context.Attempt)),
            new TaskWorkerOptions { KeepLogs = level, TimeProvider = _clock }, _loggers.CreateLogger<TaskWorker>());
        await _worker.StartAsync(Token);
        var handle = await _queue.EnqueueAsync(new Mail(), new EnqueueOptions { Retry = new RetryPolicy { MaxAttempts = 2, Delay = TimeSpan.Zero } }, Token);
        await handle.WaitAsync(Bound, Token);
        return (await _backend.FindAsync(handle.Id, Token))!;
    }

    private sealed record Mail : ITask;

    private sealed class Unspeakable : Exception
    {
        public override string ToString() => throw new InvalidOperationException("no text");
    }
}
