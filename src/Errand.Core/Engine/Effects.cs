namespace Errand.Engine;

/// <summary>
/// What one transaction brings about beyond its rows: told after its commit, and dropped with it. There is one for each
/// transaction, so nothing of it needs a reset.
/// </summary>
internal sealed class Effects
{
    private long[] _expected = [];
    private List<Action>? _afterCommit;
    private List<Action>? _reports;

    /// <summary>Tasks have become ready: for workers of this process, and for others.</summary>
    internal bool IsReady { get; private set; }

    /// <summary>Other processes should look soon: tasks are ready, scheduled or to be cancelled.</summary>
    internal bool WakesOthers { get; private set; }

    /// <summary>The tasks that have left the live ones.</summary>
    internal List<long> Ended { get; } = [];

    internal IReadOnlyList<Action> Reports => _reports ?? [];

    internal void Ready() => IsReady = WakesOthers = true;

    /// <summary>Tasks are ready that other processes find by themselves.</summary>
    internal void ReadyHere() => IsReady = true;

    internal void WakeOthers() => WakesOthers = true;

    /// <summary>A part must look at the store at that time; 0 when the time is not known.</summary>
    internal void Expect<TTurn>(Part<TTurn> part, long time)
    {
        if (part.Place >= _expected.Length)
        {
            var known = _expected.Length;
            Array.Resize(ref _expected, part.Place + 1);
            Array.Fill(_expected, long.MaxValue, known, _expected.Length - known);
        }

        _expected[part.Place] = Math.Min(_expected[part.Place], time);
    }

    /// <summary>
    /// The earliest time that the part is to look at the store for what this transaction did; else never.
    /// </summary>
    internal long ExpectedBy<TTurn>(Part<TTurn> part) => part.Place < _expected.Length ? _expected[part.Place] : long.MaxValue;

    /// <summary>Changes what a part remembers, after the commit and before callers are told.</summary>
    internal void AfterCommit(Action change) => (_afterCommit ??= []).Add(change);

    /// <summary>Logs something, or tidies up outside the store, when the turn is over.</summary>
    internal void Report(Action report) => (_reports ??= []).Add(report);

    /// <exception cref="AggregateException">Some of the changes failed, among them callbacks of a worker's; the others are made.</exception>
    internal void Apply()
    {
        List<Exception>? failed = null;
        foreach (var change in _afterCommit ?? [])
        {
            try
            {
                change();
            }
            catch (Exception e)
            {
                (failed ??= []).Add(e);
            }
        }

        if (failed is not null)
        {
            throw new AggregateException(failed);
        }
    }
}
