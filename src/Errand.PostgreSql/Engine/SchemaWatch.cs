namespace Errand.PostgreSql.Engine;

/// <summary>
/// Notices when a newer Errand has upgraded the schema under this process: when a connection is opened, and within a
/// second of work by others. Looking more often would cost busy processes a round trip for each notification.
/// </summary>
internal sealed class SchemaWatch(PostgresStore store, TimeProvider time) : Part<Turn>
{
    private static readonly TimeSpan LookInterval = TimeSpan.FromSeconds(1);

    private volatile bool _isUpgraded; // Written by the listener, read by the writer: an upgrade has announced itself.
    private bool _mayBeNewer; // Others have written since the last look.
    private long _lastLook;

    internal override Moments Hears => Moments.Doubted;

    internal SchemaFit Fit { get; private set; }

    /// <summary>Why this engine takes nothing new; null as long as it knows the schema.</summary>
    internal SchemaTooNewException? Outdated { get; private set; }

    internal override void Doubted(Doubt why) => _mayBeNewer |= why == Doubt.Polled;

    /// <summary>An upgrade has announced itself: look in the next turn. From any thread.</summary>
    internal void Hurry() => _isUpgraded = true;

    internal void Saw(SchemaMark mark)
    {
        _mayBeNewer = false;
        _lastLook = time.GetTimestamp();
        Fit = store.Schema.FitOf(mark);
        Outdated = Fit == SchemaFit.Current ? null : store.Schema.TooNew(mark.Version);
    }

    /// <exception cref="SchemaTooNewException">
    /// The schema was upgraded beyond what this engine may write to.
    /// </exception>
    internal void CheckWritable()
    {
        if (Outdated is not null && Fit != SchemaFit.Draining)
        {
            throw Outdated;
        }
    }

    /// <exception cref="SchemaTooNewException">The schema was upgraded beyond what this engine may read.</exception>
    internal async ValueTask LookWhenDueAsync(Sessions sessions)
    {
        if (_isUpgraded || (_mayBeNewer && time.GetElapsedTime(_lastLook) >= LookInterval))
        {
            _isUpgraded = false;
            await sessions.RunAloneAsync((session, batch) =>
                batch.Add(Schema.ReadMarkSql, row => session.SawMark(Schema.ReadMark(row)))).ConfigureAwait(false);
            if (sessions.Current is { } session)
            {
                Saw(session.Mark);
            }
        }

        if (Fit == SchemaFit.Unreadable && Outdated is not null)
        {
            throw Outdated;
        }
    }
}
