namespace Errand.Bench;

/// <summary>The payload of every scenario: 200 bytes of JSON, give or take the digits of the index.</summary>
[TaskName("note")]
internal sealed record Note(int Index, string Text) : ITask<Receipt>
{
    private static readonly string Filling = new('x', 175);

    internal static IEnumerable<Note> Some(int tasks) => Enumerable.Range(0, tasks).Select(At);

    internal static Note At(int index) => new(index, Filling);
}

/// <summary>What the handler gives.</summary>
internal sealed record Receipt(int Index);

/// <summary>The handler of every scenario: it does nothing but count, and knows when all have run.</summary>
internal sealed class Tally(int tasks)
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(10);

    private readonly int[] _runs = new int[tasks];
    private readonly TaskCompletionSource _allRan = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int _ran;

    internal TaskHandlers Handlers => new TaskHandlers().Add<Note, Receipt>((note, _) => Run(note));

    internal Task AllRanAsync() => _allRan.Task.WaitAsync(Patience);

    internal void CheckThatEachRanOnce()
    {
        var wrong = _runs.Count(runs => runs != 1);
        if (wrong > 0)
        {
            throw new InvalidOperationException($"{wrong} of {tasks} tasks did not run exactly once.");
        }
    }

    private Receipt Run(Note note)
    {
        Interlocked.Increment(ref _runs[note.Index]);
        if (Interlocked.Increment(ref _ran) == tasks)
        {
            _allRan.SetResult();
        }

        return new Receipt(note.Index);
    }
}
