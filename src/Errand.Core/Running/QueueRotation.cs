namespace Errand.Running;

/// <summary>
/// Which of several subscriptions a worker begins with: smooth weighted round robin, which spreads the turns of each as evenly as
/// its weight allows and needs no chance.
/// </summary>
internal sealed class QueueRotation
{
    private IReadOnlyList<QueueSubscription>? _subscriptions;
    private long[] _credits = [];
    private int[] _order = [];

    /// <summary>The subscriptions' places in the list, in the order of this turn.</summary>
    internal int[] Next(IReadOnlyList<QueueSubscription> subscriptions)
    {
        if (!ReferenceEquals(subscriptions, _subscriptions) && _subscriptions?.SequenceEqual(subscriptions) != true)
        {
            _subscriptions = subscriptions;
            _credits = new long[subscriptions.Count];
            _order = [.. Enumerable.Range(0, subscriptions.Count)];
        }

        if (_order.Length > 1)
        {
            var total = 0L;
            for (var i = 0; i < _credits.Length; i++)
            {
                _credits[i] += subscriptions[i].Weight;
                total += subscriptions[i].Weight;
            }

            Array.Sort(_order, (left, right) =>
                _credits[left] == _credits[right] ? left.CompareTo(right) : _credits[right].CompareTo(_credits[left]));
            _credits[_order[0]] -= total;
        }

        return _order;
    }
}
