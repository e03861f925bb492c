using System.Collections.Frozen;

namespace Errand.PostgreSql.Workers;

/// <summary>An incarnation of this backend, and how far it has looked into each queue. The writer's alone.</summary>
internal sealed class LocalWorker(long owner, WorkerRegistration registration) : Incarnation(owner, registration)
{
    /// <summary>Queues that are looked at in one turn at most.</summary>
    private const int MostLooks = 16;

    private readonly Dictionary<string, (Floor Floor, long Version)> _floors = new(StringComparer.Ordinal);
    private readonly HashSet<string> _full = new(StringComparer.Ordinal); // Queues that gave all that was asked for.
    private FrozenSet<string> _names = [];
    private Rest? _rest;

    // The version of what is ready that its last wait has seen all of, and in which queues.
    private (long Version, IReadOnlyList<QueueSubscription>? Queues) _seen = (-1, null);

    internal int[] NameIds { get; private set; } = [];

    internal void Know(IEnumerable<string> names, Func<string, int> numberOf)
    {
        _names = names.ToFrozenSet(StringComparer.Ordinal);
        NameIds = [.. _names.Select(numberOf)];
    }

    internal bool Knows(string name) => _names.Contains(name);

    internal Floor FloorOf(string queue, long version) =>
        _floors.TryGetValue(queue, out var floor) && floor.Version == version ? floor.Floor : Floor.None;

    internal void SetFloor(string queue, Floor floor, long version) => _floors[queue] = (floor, version);

    /// <summary>A new task may stand before the floor: its time is now, which may be the same millisecond.</summary>
    internal void ForgetFloorAbove(string queue, int rank, long id)
    {
        if (_floors.TryGetValue(queue, out var floor)
            && (rank < floor.Floor.Rank || (rank == floor.Floor.Rank && id < floor.Floor.Id)))
        {
            _floors.Remove(queue);
        }
    }

    internal bool WasFull(string queue) => _full.Contains(queue);

    internal void NoteLook(string queue, bool isFull)
    {
        if (isFull)
        {
            _full.Add(queue);
        }
        else
        {
            _full.Remove(queue);
        }
    }

    internal void SawAll(long version, IReadOnlyList<QueueSubscription> queues) => _seen = (version, queues);

    /// <summary>
    /// The version of what is ready that it has seen all of in these queues; null when it has not looked at them.
    /// </summary>
    internal long? LastSeen(IReadOnlyList<QueueSubscription> queues) =>
        _seen.Queues?.SequenceEqual(queues) == true ? _seen.Version : null;

    /// <summary>How many queues it looks at in one turn: more while each has little.</summary>
    internal int Width { get; private set; } = 1;

    internal void NoteWidth(bool isAnyFull) => Width = isAnyFull ? Math.Max(1, Width / 2) : Math.Min(MostLooks, Width * 2);

    /// <summary>The queues that a wait has not come to.</summary>
    internal void KeepRest(List<string> rest, long version, IReadOnlyList<QueueSubscription> queues, long until) =>
        _rest = new Rest(rest, version, queues, until);

    /// <summary>What is left of the last wait for these queues, if it still serves; once.</summary>
    internal Rest? TakeRest(IReadOnlyList<QueueSubscription> queues, long now)
    {
        var rest = _rest;
        _rest = null;
        return rest is not null && rest.Until >= now && rest.Subscriptions.SequenceEqual(queues) ? rest : null;
    }

    /// <summary>Queues that a wait has not come to.</summary>
    internal sealed record Rest(
        List<string> Queues, long Version, IReadOnlyList<QueueSubscription> Subscriptions, long Until);
}
