namespace Errand.Bench;

/// <summary>The handler of every scenario: it only counts, and knows when all have run.</summary>
internal sealed class Tally(int tasks)
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(10);

    private readonly int[] _runs = new int[tasks]; // By index; written by handlers.
    private readonly TaskCompletionSource _allRan = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int _ran; // Written by handlers.

    internal TaskHandlers Handlers => new TaskHandlers().Add<Note, Receipt>((note, _) => ValueTask.FromResult(Run(note)));

    /// <summary>The same as one that may block, and so runs on a thread of the worker's own.</summary>
    internal TaskHandlers BlockingHandlers => new TaskHandlers().Add<Note, Receipt>((note, _) => Run(note));

    internal Receipt Run(Note note)
    {
        Interlocked.Increment(ref _runs[note.Index]);
        if (Interlocked.Increment(ref _ran) == tasks)
        {
            _allRan.SetResult();
        }

        return new Receipt(note.Index);
    }

    internal Task AllRanAsync() => _allRan.Task.WaitAsync(Patience);

    internal void CheckThatEachRanOnce()
    {
        var wrong = _runs.Count(runs => runs != 1);
        if (wrong > 0)
        {
            throw new InvalidOperationException($"{wrong} of {tasks} tasks did not run exactly once.");
        }
    }
}
