namespace Errand.PostgreSql.Reserve;

/// <summary>A worker's look into one queue, in one turn.</summary>
/// <param name="queue">The queue.</param>
/// <param name="asked">How many tasks it asks for.</param>
internal sealed class Look(string queue, int asked)
{
    private int _given;
    private Action? _afterCommit;

    internal string Queue => queue;

    internal bool IsFull => _given == asked;

    internal void NoteGiven() => _given++;

    /// <summary>Keeps for after the commit what was learned.</summary>
    internal void Learn(Action afterCommit) => _afterCommit = afterCommit;

    internal void Committed() => _afterCommit?.Invoke();
}
