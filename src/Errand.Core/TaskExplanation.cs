using System.Globalization;

namespace Errand;

/// <summary>Why a task is not running, or that it is, in words for a person.</summary>
/// <param name="State">Where it stands.</param>
/// <param name="Reasons">One sentence for each reason, at least one.</param>
public sealed record TaskExplanation(TaskState State, IReadOnlyList<string> Reasons)
{
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
        return new TaskExplanation(task.State, [.. reasons]);
    }

    private static IEnumerable<string> WhileRunning(TaskDetails task, IReadOnlyList<WorkerDetails> workers)
    {
        var worker = workers.FirstOrDefault(worker => worker.Id == task.Worker);
        var since = task.StartedAt is { } started ? Text($" since {started:u}") : "";
        yield return worker switch
        {
            { IsLive: true } => Text(
                $"It runs{since}, attempt {task.Attempt}, on worker {worker.Id} (process {worker.ProcessId} on {worker.Host})."),
            not null => Text(
                $"Its worker {worker.Id} (process {worker.ProcessId} on {worker.Host}) is not heard of any more.")
                + Text($" When its lease of {worker.Lease} has run out, the task is given to another."),
            null => Text($"It belongs to worker {task.Worker}, which is gone; it comes back when another worker has noticed."),
        };
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
            yield return task.Attempt > 0
                ? Text($"Its attempt {task.Attempt} failed or was put off; the next is due at {task.DueAt:u}.")
                : Text($"It is due at {task.DueAt:u}.");
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
                + (task.IsParked ? Text($"; it was put aside and is offered again at {task.DueAt:u}.") : ".");
        }
        else if (isDue && !queueIsPaused)
        {
            yield return able.All(IsBusy)
                ? "It is due, and every worker that could run it is busy with others."
                : "It is due, and will be started when the tasks before it have been.";
        }
        else if (task.IsParked)
        {
            yield return Text($"It was put aside while nobody knew its name, and is offered again at {task.DueAt:u}.");
        }
    }

    private static string AtItsEnd(TaskDetails task) => task.State switch
    {
        TaskState.Succeeded => Text($"It succeeded at {task.FinishedAt:u}, on attempt {task.Attempt}."),
        TaskState.Failed => Text(
            $"It failed for good at {task.FinishedAt:u}, on attempt {task.Attempt}: {FirstLine(task.Error)} Retry it to run it again."),
        TaskState.Cancelled => Text($"It was cancelled at {task.FinishedAt:u}."),
        _ => Text($"It expired at {task.FinishedAt:u}, before it could start."),
    };

    private static bool IsBusy(WorkerDetails worker) => worker.Concurrency > 0 && worker.Leases.Count >= worker.Concurrency;

    private static string FirstLine(string? error)
    {
        var line = (error ?? "").Split('\n', 2)[0].TrimEnd();
        return line.EndsWith('.') ? line : line + ".";
    }

    private static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
