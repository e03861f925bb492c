namespace Errand.Sqlite.Reserve;

/// <summary>
/// A worker's way round the queues of a pattern: once round, from where it began. Many queues take several looks. The round starts again
/// when tasks may have become ready meanwhile.
/// </summary>
internal sealed class QueueRound
{
    private long _version = -1;
    private long _first;

    /// <summary>Whether a look was cut, and the next one continues.</summary>
    internal bool IsUnderWay { get; private set; }

    /// <summary>Whether all has been seen, and nothing was left, of what was ready at this version.</summary>
    internal bool IsDone { get; private set; }

    /// <summary>The next number of a queue to look at.</summary>
    internal long Place { get; private set; }

    /// <summary>Where this part of the round ends.</summary>
    internal long End { get; private set; }

    /// <summary>What was seen before counts only while nothing has become ready.</summary>
    internal void KeepIf(long version)
    {
        if (_version != version)
        {
            (_version, IsUnderWay, IsDone) = (version, false, false);
        }
    }

    internal void Begin(long first) => (_first, Place, End, IsUnderWay) = (first, first, long.MaxValue, true);

    internal void Continue(long place) => Place = place;

    /// <summary>From the first queue on, up to where the round began; false if that is done.</summary>
    internal bool TryWrap()
    {
        if (End != long.MaxValue || _first == 0)
        {
            return false;
        }

        (Place, End) = (0, _first);
        return true;
    }

    /// <summary>A look has ended.</summary>
    /// <param name="isCut">Whether it has not come all the way round.</param>
    /// <param name="leftNothing">Whether the worker has taken all that it met; else the round starts again.</param>
    internal void NoteLooked(bool isCut, bool leftNothing) => (IsUnderWay, IsDone) = (isCut && leftNothing, !isCut && leftNothing);

    internal QueueRound Copy() => (QueueRound)MemberwiseClone();
}
