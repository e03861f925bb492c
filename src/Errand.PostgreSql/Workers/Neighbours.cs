namespace Errand.PostgreSql.Workers;

/// <summary>
/// When the work of other processes is looked for: slower and slower while there is nothing, and once a second where
/// notifications are heard. They are a hint and no more: polling finds everything without them.
/// </summary>
internal sealed class Neighbours(
    IInbox<Turn> inbox, TimeProvider time, WaitingWorkers<Turn, Waiting> waiting, Results results) : Part<Turn>
{
    /// <summary>The first wait between two looks after word that something comes soon; it doubles.</summary>
    private static readonly TimeSpan SoonPoll = TimeSpan.FromMilliseconds(10);

    /// <summary>The first wait between two looks where no notification is heard; it doubles.</summary>
    private static readonly TimeSpan UnheardPoll = TimeSpan.FromMilliseconds(250);

    /// <summary>
    /// The longest wait between two looks while a caller waits for a result: where no notification is heard.
    /// </summary>
    private static readonly TimeSpan UnheardResultPoll = TimeSpan.FromMilliseconds(25);

    /// <summary>The same where one is heard, from processes that know that somebody waits.</summary>
    private static readonly TimeSpan ResultPoll = TimeSpan.FromMilliseconds(100);

    private readonly PollPace _pace = new(time);
    private volatile bool _isListening; // Written by the listener, read by the writer.
    private bool _isResultAwaited; // When last planned.

    internal override Moments Hears => Moments.Doubted | Moments.Plan;

    internal override bool WorksOutdated => true;

    internal bool IsLookDue => _pace.IsDue;

    internal override void Plan(Agenda agenda)
    {
        if (waiting.Count == 0 && !results.IsWaitedFor)
        {
            _isResultAwaited = false;
            return;
        }

        if (results.IsWaitedFor && !_isResultAwaited)
        {
            _pace.Restart(SoonPoll); // A short task ends soon, perhaps before its process knows that somebody waits.
        }

        _isResultAwaited = results.IsWaitedFor;
        _pace.Limit(!_isResultAwaited ? null : _isListening ? ResultPoll : UnheardResultPoll);
        _pace.Plan(agenda);
    }

    /// <summary>Whether notifications are heard, from now on.</summary>
    internal void Listens(bool isListening) => _isListening = isListening;

    /// <summary>There is something: look at once. From any thread.</summary>
    internal void Hurry() => inbox.TryAdd(new PollNote(this, isSoon: false));

    /// <summary>Something comes soon: look more often for a while. From any thread.</summary>
    internal void ExpectSoon() => inbox.TryAdd(new PollNote(this, isSoon: true));

    internal override void Doubted(Doubt why)
    {
        if (why == Doubt.Polled)
        {
            _pace.Slow(_isListening ? Defaults.PollInterval : UnheardPoll);
        }
    }

    private void Expect(bool isSoon)
    {
        if (isSoon)
        {
            _pace.Restart(SoonPoll);
        }
        else
        {
            _pace.Hurry();
        }
    }

    private sealed class PollNote(Neighbours neighbours, bool isSoon) : Note<Turn>
    {
        internal override void Hear() => neighbours.Expect(isSoon);
    }
}
