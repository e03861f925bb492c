namespace Errand.PostgreSql.Reserve;

/// <summary>A queue that a worker looks into, alone or with others in one statement: where the look begins, and how far it comes.</summary>
internal sealed class QueueLook(string queue, int id, Floor floor, bool wasFull, Look look)
{
    private Floor _last = floor;
    private Floor? _end; // Of what was ready before the look; not asked for where there was plenty.

    internal string Queue => queue;

    internal int Id => id;

    internal Floor Floor { get; } = floor;

    internal bool WasFull => wasFull;

    internal Look Look => look;

    /// <summary>Where the next look begins: behind what was taken, or, when no more is known to this worker, behind all.</summary>
    internal Floor NextFloor => _end is { } end && !look.IsFull && !end.IsBefore(_last) ? end : _last;

    internal void NoteEnd(Floor end) => _end = end;

    internal void NoteTaken(Floor place) => _last = _last.IsBefore(place) ? place : _last;
}
