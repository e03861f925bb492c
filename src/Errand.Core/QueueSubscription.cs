using System.Diagnostics.CodeAnalysis;
using System.Globalization;

namespace Errand;

/// <summary>A queue that a worker serves, or several by a pattern, and how often it begins with it.</summary>
/// <remarks>
/// Two queues that both have tasks waiting are begun with in proportion to their weights; a worker that finds nothing in one goes on
/// with the next, so that a weight costs nobody a free slot. Texts turn into subscriptions by themselves:
/// <c>Queues = ["default", new("critical", 6), "mail-*"]</c>.
/// </remarks>
public readonly record struct QueueSubscription
{
    private const int MaxWeight = 1_000;

    /// <summary>Subscribes to a queue, or to all that a pattern matches.</summary>
    /// <param name="queue">
    /// The name of a queue; or its beginning and <c>*</c>, which stands for every queue that begins so; <c>*</c> alone is every queue.
    /// </param>
    /// <param name="weight">How often it is begun with, beside the others' weights. Default is 1; 1 to 1,000.</param>
    public QueueSubscription(string queue, int weight = 1)
    {
        Queue = queue;
        Weight = weight;
    }

    /// <summary>The name, or the pattern.</summary>
    public string Queue { get; }

    /// <summary>How often it is begun with, beside the others' weights.</summary>
    public int Weight { get; }

    /// <summary>Whether this is a pattern, which may match many queues.</summary>
    [MemberNotNullWhen(true, nameof(Queue))]
    public bool IsPattern => Queue?.EndsWith('*') == true;

    /// <summary>Subscribes with a weight of 1.</summary>
    /// <param name="queue">The name of a queue, or a pattern.</param>
    public static implicit operator QueueSubscription(string queue) => new(queue);

    /// <summary>Whether it takes tasks from a queue.</summary>
    /// <param name="queue">The name of the queue.</param>
    public bool Matches(string queue)
    {
        ArgumentNullException.ThrowIfNull(queue);
        return IsPattern
            ? queue.AsSpan().StartsWith(Queue.AsSpan(0, Queue.Length - 1), StringComparison.Ordinal)
            : string.Equals(queue, Queue, StringComparison.Ordinal);
    }

    /// <summary>As a configuration has it: <c>mail</c>, or <c>mail=6</c> with a weight.</summary>
    public override string ToString() =>
        Weight == 1 ? Queue : string.Create(CultureInfo.InvariantCulture, $"{Queue}={Weight}");

    /// <summary>Reads what <see cref="ToString"/> writes; a weight that is no number becomes 0, which is refused later.</summary>
    internal static QueueSubscription Read(string text)
    {
        var parts = text.Split('=', 2);
        return parts.Length == 1
            ? new QueueSubscription(text)
            : new QueueSubscription(
                parts[0], int.TryParse(parts[1], NumberStyles.None, CultureInfo.InvariantCulture, out var weight) ? weight : 0);
    }

    internal static void CollectProblems(IReadOnlyList<QueueSubscription> queues, OptionProblems problems)
    {
        problems.Range(queues.Count is < 1 or > 100, "Queues", queues.Count, "1 to 100 names");
        foreach (var queue in queues)
        {
            var name = queue.IsPattern ? queue.Queue[..^1] : queue.Queue;
            if (!queue.IsPattern || name.Length > 0)
            {
                problems.Name(name, "Queues");
            }

            if (queue.Weight is < 1 or > MaxWeight)
            {
                problems.Add(string.Create(
                    CultureInfo.InvariantCulture,
                    $"Queues gives '{queue.Queue}' the weight {queue.Weight}; allowed is 1 to 1,000 (as in mail=6)"));
            }
        }

        foreach (var twice in queues.GroupBy(queue => queue.Queue, StringComparer.Ordinal).Where(group => group.Count() > 1))
        {
            problems.Add($"Queues names '{twice.Key}' {twice.Count()} times; once is enough, its weight says how often it is served");
        }
    }
}
