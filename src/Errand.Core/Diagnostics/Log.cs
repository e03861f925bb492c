using Microsoft.Extensions.Logging;

namespace Errand.Diagnostics;

/// <summary>All wording of the engine's log. Ids are stable: 1xx worker, 2xx one attempt.</summary>
internal static partial class Log
{
    /// <summary>What is logged within an attempt, by its handler too, carries these. Costs nothing where nobody logs.</summary>
    internal static readonly Func<ILogger, long, string, string, int, IDisposable?> AttemptScope =
        LoggerMessage.DefineScope<long, string, string, int>("Task {TaskId} ('{TaskName}') of queue {Queue}, attempt {Attempt}");

    [LoggerMessage(100, LogLevel.Information, "Worker {Owner} started: {Concurrency} handlers at once on {Queues}.")]
    internal static partial void WorkerStarted(ILogger logger, long owner, int concurrency, string queues);

    [LoggerMessage(101, LogLevel.Information, "Worker {Owner} stopped.")]
    internal static partial void WorkerStopped(ILogger logger, long owner);

    [LoggerMessage(102, LogLevel.Warning,
        "Worker {Owner} stopped, but the handler of task {TaskId} ('{TaskName}', attempt {Attempt}) still runs. Its result will "
        + "be dropped, and the task starts again when the lease has run out. Heed TaskContext.CancellationToken to avoid this.")]
    internal static partial void HandlerLeftBehind(ILogger logger, long owner, long taskId, string taskName, int attempt);

    [LoggerMessage(103, LogLevel.Warning,
        "Worker {Owner} lost its lease; its handlers' tokens are cancelled, and it begins anew.")]
    internal static partial void WorkerLost(ILogger logger, long owner);

    [LoggerMessage(104, LogLevel.Warning, "Worker could not reach the store; it tries again in {Delay}.")]
    internal static partial void ReserveFailed(ILogger logger, TimeSpan delay, Exception exception);

    [LoggerMessage(105, LogLevel.Warning, "Worker {Owner} could not write its heartbeat; it tries again at the next.")]
    internal static partial void HeartbeatFailed(ILogger logger, long owner, Exception exception);

    [LoggerMessage(106, LogLevel.Warning, "Worker ends: its backend was disposed while it ran. Stop the worker first.")]
    internal static partial void BackendDisposed(ILogger logger);

    [LoggerMessage(107, LogLevel.Error, "Worker met an error of its own, which is a fault in Errand; it goes on in {Delay}.")]
    internal static partial void WorkerFault(ILogger logger, TimeSpan delay, Exception exception);

    [LoggerMessage(108, LogLevel.Warning, "Worker {Owner} could not say that it ends; its lease runs out instead.")]
    internal static partial void EndFailed(ILogger logger, long owner, Exception exception);

    [LoggerMessage(109, LogLevel.Warning,
        "Worker {Owner} owned {Tasks} tasks that never reached it; they were given back, and their attempts are not charged.")]
    internal static partial void StraysGivenBack(ILogger logger, long owner, int tasks);

    [LoggerMessage(110, LogLevel.Warning,
        "{Lines} lines of the log were dropped here, because the logger was too slow: no more than {Capacity} may wait for it.")]
    internal static partial void LinesDropped(ILogger logger, long lines, int capacity);

    [LoggerMessage(111, LogLevel.Error,
        "The clock {Clock} threw. While it does, time stands still for Errand, and timers run on the system's clock.")]
    internal static partial void ClockFailed(ILogger logger, string clock, Exception exception);

    [LoggerMessage(112, LogLevel.Warning,
        "The store cannot be used yet. The start of the host waits for it, for at most {Limit}.")]
    internal static partial void WaitsForStore(ILogger logger, TimeSpan limit, Exception exception);

    [LoggerMessage(113, LogLevel.Warning,
        "Tasks '{TaskName}' go to the queue '{Queue}' by default, which none of the workers here that know them serves. Add it to the "
        + "Queues of a worker, unless another process serves it.")]
    internal static partial void QueueNotServed(ILogger logger, string taskName, string queue);

    [LoggerMessage(114, LogLevel.Warning,
        "Task '{TaskName}' is enqueued in queue '{Queue}', which a worker of this process serves, but none of them has a handler for it. It waits "
        + "for a process that has one. Add it (AddHandler), unless another process does.")]
    internal static partial void NoHandler(ILogger logger, string taskName, string queue);

    [LoggerMessage(200, LogLevel.Warning,
        "Task {TaskId} ('{TaskName}') failed attempt {Attempt} of {MaxAttempts}; the next is in {Delay}.")]
    internal static partial void AttemptFailed(
        ILogger logger, long taskId, string taskName, int attempt, int maxAttempts, TimeSpan delay, Exception? exception);

    [LoggerMessage(201, LogLevel.Error, "Task {TaskId} ('{TaskName}') failed for good on attempt {Attempt} of {MaxAttempts}.")]
    internal static partial void TaskFailed(
        ILogger logger, long taskId, string taskName, int attempt, int maxAttempts, Exception? exception);

    [LoggerMessage(202, LogLevel.Warning,
        "Task {TaskId} ('{TaskName}', attempt {Attempt}) ended after its lease was lost; its outcome was dropped.")]
    internal static partial void OutcomeDropped(ILogger logger, long taskId, string taskName, int attempt);

    [LoggerMessage(203, LogLevel.Warning,
        "The outcome of task {TaskId} ('{TaskName}') could not be stored; it is tried again in {Delay}.")]
    internal static partial void SettleFailed(
        ILogger logger, long taskId, string taskName, TimeSpan delay, Exception exception);

    [LoggerMessage(204, LogLevel.Warning,
        "The handler of task {TaskId} ('{TaskName}', attempt {Attempt}) has run for more than {Elapsed} and has no timeout.")]
    internal static partial void RunsLong(ILogger logger, long taskId, string taskName, int attempt, TimeSpan elapsed);

    [LoggerMessage(205, LogLevel.Information,
        "Task {TaskId} ('{TaskName}') was released at shutdown; its attempt is not charged.")]
    internal static partial void Released(ILogger logger, long taskId, string taskName, Exception? exception);

    [LoggerMessage(207, LogLevel.Information, "Task {TaskId} ('{TaskName}', attempt {Attempt}) was cancelled.")]
    internal static partial void Cancelled(ILogger logger, long taskId, string taskName, int attempt, Exception? exception);

    [LoggerMessage(208, LogLevel.Information,
        "Task {TaskId} ('{TaskName}') was put off for {Delay}; attempt {Attempt} is not charged.")]
    internal static partial void Snoozed(ILogger logger, long taskId, string taskName, int attempt, TimeSpan delay);

    [LoggerMessage(209, LogLevel.Warning,
        "The handler of task {TaskId} ('{TaskName}', attempt {Attempt}) still runs {Elapsed} after its token was cancelled, and keeps "
        + "its slot until it returns. Heed TaskContext.CancellationToken to avoid this.")]
    internal static partial void Stuck(ILogger logger, long taskId, string taskName, int attempt, TimeSpan elapsed);

    [LoggerMessage(210, LogLevel.Error,
        "OnFailure threw for task {TaskId} ('{TaskName}', attempt {Attempt}); the task's retry policy decides.")]
    internal static partial void DecisionFailed(ILogger logger, long taskId, string taskName, int attempt, Exception exception);

    [LoggerMessage(211, LogLevel.Warning,
        "The progress of task {TaskId} ('{TaskName}') could not be stored; the next report is tried again.")]
    internal static partial void ProgressFailed(ILogger logger, long taskId, string taskName, Exception exception);

    [LoggerMessage(206, LogLevel.Warning,
        "The handler of task {TaskId} ('{TaskName}', attempt {Attempt}) threw after its transaction had completed the task, which "
        + "therefore succeeded.")]
    internal static partial void ThrewAfterCompletion(
        ILogger logger, long taskId, string taskName, int attempt, Exception exception);

    [LoggerMessage(212, LogLevel.Error,
        "The store works but refuses every outcome of task {TaskId} ('{TaskName}', attempt {Attempt}). The task is released and starts "
        + "again within the lease.")]
    internal static partial void SettleRefused(ILogger logger, long taskId, string taskName, int attempt, Exception exception);

    [LoggerMessage(213, LogLevel.Warning,
        "A callback that was registered on the token of task {TaskId} ('{TaskName}', attempt {Attempt}) threw when the token was cancelled.")]
    internal static partial void TokenCallbackFailed(ILogger logger, long taskId, string taskName, int attempt, Exception exception);

    [LoggerMessage(214, LogLevel.Error,
        "A service of the scope of task {TaskId} ('{TaskName}', attempt {Attempt}) threw when it was disposed. The outcome of the handler stands.")]
    internal static partial void ScopeFailed(ILogger logger, long taskId, string taskName, int attempt, Exception exception);

    [LoggerMessage(215, LogLevel.Warning,
        "The handler of task {TaskId} ('{TaskName}') waits for the end of another task while none of its worker's {Concurrency} slots is "
        + "free. If the other task needs a slot of this worker, both wait forever. Raise Concurrency, run the other task in another worker's "
        + "queue, or do not wait for it.")]
    internal static partial void WaitsWithoutSlot(ILogger logger, long taskId, string taskName, int concurrency);

    [LoggerMessage(216, LogLevel.Error,
        "A failure handler threw for task {TaskId} ('{TaskName}', attempt {Attempt}). It changes nothing.")]
    internal static partial void FailureHandlerFailed(ILogger logger, long taskId, string taskName, int attempt, Exception exception);

    [LoggerMessage(217, LogLevel.Warning,
        "What was logged within task {TaskId} ('{TaskName}', attempt {Attempt}) could not be stored with it.")]
    internal static partial void LogNotKept(ILogger logger, long taskId, string taskName, int attempt, Exception exception);
}
