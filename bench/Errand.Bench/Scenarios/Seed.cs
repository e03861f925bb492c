using System.Diagnostics;

namespace Errand.Bench.Scenarios;

/// <summary>The shape of the original Python queue's own benchmark, through the public queue and worker.</summary>
internal sealed class Seed : IScenario
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(1);

    // Tasks, and what the original publishes for its own :memory: store.
    private static readonly (int Tasks, double Enqueue, double Process)[] Originals =
        [(10, 1_910, 991), (50, 2_968, 4_443), (100, 2_244, 4_191), (500, 3_132, 3_117)];

    public string Name => "seed";

    public string Summary => "the original's own benchmark: 10 to 500 tasks, one caller; 4 workers";

    public IEnumerable<Case> Cases(int tasks)
    {
        foreach (var store in Store.All)
        {
            foreach (var (count, enqueue, process) in Originals)
            {
                yield return Case("enqueue", count, EnqueueAsync, enqueue);
                yield return Case("process", count, (open, n) => ProcessAsync(open, n, 1, options: null), process);
            }

            // The original's workers settle one task at a time, so these do too.
            var oneAtATime = new TaskWorkerOptions { Concurrency = 1 };
            yield return Case(
                "process, 4 workers of concurrency 1", 100, (open, n) => ProcessAsync(open, n, 4, oneAtATime), 2_409);

            Case Case(string name, int count, Func<OpenStore, int, Task<double>> measure, double original) =>
                new(name, store, count, OpenStore.Measure(measure), store.IsMemory ? original : null);
        }
    }

    private static async Task<double> EnqueueAsync(OpenStore store, int tasks)
    {
        var notes = Note.Some(tasks).ToArray();
        var watch = Stopwatch.StartNew();
        foreach (var note in notes)
        {
            await store.Queue.EnqueueAsync(note);
        }

        return tasks / watch.Elapsed.TotalSeconds;
    }

    /// <summary>From before the workers start until every caller has its result.</summary>
    private static async Task<double> ProcessAsync(OpenStore store, int tasks, int workers, TaskWorkerOptions? options)
    {
        var tally = new Tally(tasks);
        var handles = await Task.WhenAll(Note.Some(tasks).Select(note => store.Queue.EnqueueAsync(note)));
        var results = Task.WhenAll(handles.Select(handle => handle.WaitAsync()));
        await store.Queue.InitializeAsync(); // Answered in order: by now every caller waits.
        var crew = Enumerable.Range(0, workers)
            .Select(_ => new TaskWorker(store.Backend, tally.Handlers, options))
            .ToArray();

        var watch = Stopwatch.StartNew();
        await Task.WhenAll(crew.Select(worker => worker.StartAsync()));
        await results.WaitAsync(Patience);
        var elapsed = watch.Elapsed;

        await Task.WhenAll(crew.Select(worker => worker.StopAsync()));
        tally.CheckThatEachRanOnce();
        return tasks / elapsed.TotalSeconds;
    }
}
