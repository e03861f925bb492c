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
