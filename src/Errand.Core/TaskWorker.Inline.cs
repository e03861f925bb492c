using Errand.Running;

namespace Errand;

/// <summary>
/// One task at a time, at the caller's word: how the package Errand.Testing runs handlers. In place of a start, never
/// beside one; for one caller at a time.
/// </summary>
public sealed partial class TaskWorker
{
    internal bool Handles(string name) => _handlers.ContainsKey(name);

    /// <summary>Starts the task that is offered first, as the loop would.</summary>
    /// <returns>The task, and how its attempt ends; null when none is due.</returns>
    internal Task<(ReservedTask Task, Task<AttemptOutcome> Outcome)?> StartOneAsync(CancellationToken cancellationToken) =>
        StartOneAsync(_options.Queues, null, cancellationToken);

    /// <summary>Starts the only task of a queue that stands for another one, which its handler sees.</summary>
    internal Task<(ReservedTask Task, Task<AttemptOutcome> Outcome)?> StartOneOfAsync(
        string queue, string shown, CancellationToken cancellationToken) => StartOneAsync([queue], shown, cancellationToken);

    private async Task<(ReservedTask Task, Task<AttemptOutcome> Outcome)?> StartOneAsync(
        IReadOnlyList<QueueSubscription> queues, string? shown, CancellationToken cancellationToken)
    {
        if (_run is not { } run)
        {
            run = new Run(new WorkerSlots(_options.Concurrency), await BeginAsync(cancellationToken).ConfigureAwait(false));
            _run = run;
        }

        var request = new ReserveRequest
        {
            Owner = run.Incarnation.Owner, Queues = queues, MaxTasks = 1, Wait = TimeSpan.Zero,
        };
        var tasks = await _backend.ReserveAsync(request, cancellationToken).ConfigureAwait(false);
        if (tasks.Count == 0)
        {
            return null;
        }

        if (shown is not null)
        {
            tasks = [tasks[0] with { Queue = shown }];
        }

        var execution = Take(run, run.Incarnation, tasks)[0];
        using (ExecutionContext.SuppressFlow()) // As in the loop: nothing of the caller's flows into the handler.
        {
            return (tasks[0], Task.Run(execution.RunAsync, CancellationToken.None));
        }
    }

    /// <summary>
    /// Ends without telling the store, which is about to go. Running handlers are cancelled, and their outcomes dropped.
    /// </summary>
    internal void Abandon()
    {
        _disposed = true;
        if (_run is { } run)
        {
            _run = null;
            run.Incarnation.CancelRunning(CancelReason.Stopping);
            run.Incarnation.Dispose();
            run.Stopping.Dispose();
        }
    }
}
