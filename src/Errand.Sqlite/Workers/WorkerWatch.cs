namespace Errand.Sqlite.Workers;

/// <summary>
/// Times the heartbeats of other incarnations on this process's own clock: a lease has run out when the count has stood
/// still for its length. Pure: it is told what was read and how much time counts.
/// </summary>
internal sealed class WorkerWatch
{
    private readonly Dictionary<long, Sight> _sights = [];

    /// <summary>Notes what was read of one incarnation.</summary>
    /// <param name="owner">The incarnation.</param>
    /// <param name="beat">Its heartbeat count.</param>
    /// <param name="lease">Its lease.</param>
    /// <param name="counted">
    /// The time since the last look that counts: time in which the observer could itself have committed, so that
    /// neither a clock that jumps nor a lock that stops everybody makes anyone's lease run out.
    /// </param>
    /// <returns>True when the lease has run out.</returns>
    internal bool HasExpired(long owner, long beat, TimeSpan lease, TimeSpan counted)
    {
        var unheard = _sights.TryGetValue(owner, out var last) && last.Beat == beat ? last.Unheard + counted : TimeSpan.Zero;
        _sights[owner] = new Sight(beat, unheard);
        return unheard >= lease;
    }

    /// <summary>Forgets all but <paramref name="owners"/>.</summary>
    internal void Keep(HashSet<long> owners)
    {
        foreach (var owner in _sights.Keys.Where(owner => !owners.Contains(owner)).ToArray())
        {
            _sights.Remove(owner);
        }
    }

    private readonly record struct Sight(long Beat, TimeSpan Unheard);
}
