using System.Globalization;

namespace Errand;

/// <summary>Why a task is not running, or that it is, in words for a person.</summary>
public sealed record TaskExplanation
{
    /// <summary>The state of the task.</summary>
    public required TaskState State { get; init; }

    /// <summary>One sentence for each reason, at least one.</summary>
    public required IReadOnlyList<string> Reasons { get; init; }

    /// <summary>The reasons, one after the other.</summary>
    public override string ToString() => string.Join(' ', Reasons);

    internal static TaskExplanation Of(
        TaskDetails task, IReadOnlyList<WorkerDetails> workers, bool queueIsPaused, DateTimeOffset now)
    {
        var reasons = task.State switch
        {
            TaskState.Running => WhileRunning(task, workers),
            TaskState.Pending or TaskState.Scheduled => WhileWaiting(task, workers, queueIsPaused, now),
            _ => [AtItsEnd(task)],
        };
        return new TaskExplanation { State = task.State, Reasons = [.. reasons] };
    }

    private static IEnumerable<string> WhileRunning(TaskDetails task, IReadOnlyList<WorkerDetails> workers)
    {
        var worker = workers.FirstOrDefault(worker => worker.Id == task.Worker);
        var since = task.StartedAt is { } started ? Text($" since {started:u}") : "";
        yield return worker switch
        {
            { IsLive: true } => Text(
                $"It runs{since}, attempt {task.Attempt}, on worker {worker.Id} (process {worker.ProcessId} on {worker.Host})."),
            not null => Text($"Its worker {worker.Id} (process {worker.ProcessId} on {worker.Host}) has ended, or has not been ")
                + Text($"heard of for its lease of {worker.Lease}; the task waits again when another worker has noticed."),
            null => Text($"It belongs to worker {task.Worker}, which is gone; it waits again when another worker has noticed."),
        };
        if (worker is not { IsLive: true } && !workers.Any(worker => worker.IsLive))
        {
            yield return "No worker is alive that could notice.";
        }

        if (task.IsCancelRequested)
        {
            yield return "It was asked to cancel; its handler has not returned yet.";
        }
    }

    private static IEnumerable<string> WhileWaiting(
        TaskDetails task, IReadOnlyList<WorkerDetails> workers, bool queueIsPaused, DateTimeOffset now)
    {
        if (task.ExpiresAt <= now)
        {
            yield return Text($"It expired at {task.ExpiresAt:u} and will not start.");
            yield break;
        }

        var live = workers.Where(worker => worker.IsLive).ToArray();
        var serving = live.Where(worker => worker.Queues.Any(queue => queue.Matches(task.Queue))).ToArray();
        var able = serving.Where(worker => worker.TaskNames.Contains(task.Name, StringComparer.Ordinal)).ToArray();
        var isDue = task.State == TaskState.Pending || task.DueAt <= now;
        if (!isDue && !task.IsParked)
        {
            yield return WhyLater(task);
        }

        if (queueIsPaused)
        {
            yield return $"Its queue '{task.Queue}' is paused.";
        }

        if (live.Length == 0)
        {
            yield return "No worker is alive.";
        }
        else if (serving.Length == 0)
        {
            yield return $"No live worker serves the queue '{task.Queue}'.";
        }
        else if (able.Length == 0)
        {
            yield return $"No live worker of its queue knows the task name '{task.Name}'"
                + (task.IsParked && !isDue ? Text($"; it was put aside and is offered again at {task.DueAt:u}.") : ".");
        }
        else if (isDue && !queueIsPaused)
        {
            yield return able.All(IsBusy)
                ? "It is due, and every worker that could run it is busy with others."
                : "It is due, and will be started when the tasks before it have been.";
        }
        else if (task.IsParked && !isDue)
        {
            yield return Text($"It was put aside while nobody knew its name, and is offered again at {task.DueAt:u}.");
        }

        if (task.ExpiresAt is { } expires)
        {
            yield return Text($"If it has not started by {expires:u}, it expires.");
        }
    }

    /// <summary>One that was snoozed or given back has no failure of the attempt that it stands at.</summary>
    private static string WhyLater(TaskDetails task) => task switch
    {
        { Attempt: 0, Epoch: 0 } => Text($"It is due at {task.DueAt:u}."),
        { Attempt: > 0, History: [.., var last] } when last.Epoch == task.Epoch => Text(
            $"Its attempt {task.Attempt} failed: {FirstLine(last.Error)} The next is due at {task.DueAt:u}."),
        _ => Text($"It was put off; its attempt {task.Attempt + 1} is due at {task.DueAt:u}."),
    };

    private static string AtItsEnd(TaskDetails task) => task.State switch
    {
        TaskState.Succeeded => Text($"It succeeded at {task.FinishedAt:u}, on attempt {task.Attempt}."),
        TaskState.Failed => Text(
            $"It failed for good at {task.FinishedAt:u}, on attempt {task.Attempt}: {FirstLine(task.Error)} Retry it to run it again."),
        TaskState.Cancelled when task.Epoch == 0 => Text($"It was cancelled at {task.FinishedAt:u}, before it had started."),
        TaskState.Cancelled => Text($"It was cancelled at {task.FinishedAt:u}, after it had started."),
        _ when task.Epoch == 0 => Text($"It expired at {task.FinishedAt:u}, before it could start."),
        _ => Text($"It expired at {task.FinishedAt:u}, before it could start again."),
    };

    // Leases is capped at LeasesNamed, so a worker with more slots than that counts as busy once the cap is reached.
    private static bool IsBusy(WorkerDetails worker) =>
        worker.Concurrency > 0 && worker.Leases.Count >= Math.Min(worker.Concurrency, WorkerDetails.LeasesNamed);

    private static string FirstLine(string? error)
    {
        var line = (error ?? "").Split('\n', 2)[0].TrimEnd();
        return line.Length == 0 ? "no error was given." : line.EndsWith('.') ? line : line + ".";
    }

    private static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
