using System.Diagnostics;

namespace Errand.Torture;

/// <summary>Governs the queues as people do: pauses and resumes them, cancels what it sees, and runs again what has failed.</summary>
internal sealed class Operator(IBackend backend, History history, Random random)
{
    private static readonly TaskFilter Live = new() { States = [TaskState.Pending, TaskState.Scheduled, TaskState.Running] };
    private static readonly TaskFilter Running = new() { States = [TaskState.Running] };
    private static readonly TaskFilter Failed = new() { States = [TaskState.Failed] };

    private readonly IQueueInspector _inspector = backend.Control<IQueueInspector>()!;
    private string? _paused; // By this one; or perhaps, when the answer was trouble.

    internal async Task RunAsync(CancellationToken stop)
    {
        await ResumeAllAsync(); // What one before it has left behind.
        var since = Stopwatch.GetTimestamp();
        var patience = TimeSpan.FromMilliseconds(200);
        while (!stop.IsCancellationRequested)
        {
            try
            {
                if (Stopwatch.GetElapsedTime(since) > patience)
                {
                    since = Stopwatch.GetTimestamp();
                    patience = TimeSpan.FromMilliseconds(_paused is null ? random.Next(1_800, 3_500) : random.Next(100, 1_000));
                    await (_paused is null ? PauseAsync() : ResumeAsync(_paused));
                }

                await GovernAsync();
            }
            catch (BackendException e) when (e.IsTransient)
            {
                // Done or not.
            }

            await Task.Delay(random.Next(20, 120), CancellationToken.None);
        }
    }

    /// <summary>Lets every queue go on, for as long as it takes.</summary>
    internal async Task ResumeAllAsync()
    {
        foreach (var queue in Roles.Queues)
        {
            while (true)
            {
                try
                {
                    await ResumeAsync(queue);
                    break;
                }
                catch (BackendException e) when (e.IsTransient)
                {
                    await Task.Delay(random.Next(10, 100), CancellationToken.None);
                }
            }
        }
    }

    private async Task PauseAsync()
    {
        _paused = Roles.Queues[random.Next(Roles.Queues.Length)];
        history.Note(EventKind.Pause, queue: _paused);
        await _inspector.PauseAsync(_paused, CancellationToken.None);
        history.Note(EventKind.Paused, queue: _paused);
    }

    private async Task ResumeAsync(string queue)
    {
        history.Note(EventKind.Resume, queue: queue);
        await _inspector.ResumeAsync(queue, CancellationToken.None);
        history.Note(EventKind.Resumed, queue: queue);
        _paused = null;
    }

    private async Task GovernAsync()
    {
        var page = await _inspector.ListAsync(
            random.Next(4) switch { 0 => Live, 1 => Failed, _ => Running }, 100, cancellationToken: CancellationToken.None);
        if (page.Tasks.Count == 0)
        {
            return;
        }

        var task = page.Tasks[random.Next(page.Tasks.Count)];
        if (task.State == TaskState.Failed || random.Next(8) == 0)
        {
            history.Note(EventKind.Replay, task.Id.Value);
            var runsAgain = await _inspector.RetryAsync(task.Id, CancellationToken.None);
            history.Note(EventKind.Replayed, task.Id.Value, value: runsAgain ? 1 : 0);
        }
        else
        {
            await Roles.CancelAsync(backend, history, task.Id);
        }
    }
}
