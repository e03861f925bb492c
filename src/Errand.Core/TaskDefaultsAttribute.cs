using System.Globalization;

namespace Errand;

/// <summary>
/// What tasks of this type are enqueued with where the call does not say it: <c>[TaskDefaults(Queue = "mail", MaxAttempts = 3)]</c>.
/// </summary>
/// <remarks>
/// It holds for derived types as well, unless they have an attribute of their own, which replaces it whole. What
/// <see cref="TaskQueueOptions.ConfigureDefaults{TTask}"/> says wins over it. A value that cannot work is told when the host starts, or at
/// the first enqueue.
/// </remarks>
[AttributeUsage(AttributeTargets.Class | AttributeTargets.Struct)]
public sealed class TaskDefaultsAttribute : Attribute
{
    private int? _maxAttempts;
    private int? _priority;

    /// <summary>The queue. Default is null: not said here; 1 to 128 letters, digits and <c>. _ - : /</c>.</summary>
    public string? Queue { get; set; }

    /// <summary>
    /// Attempts in all, the first included; the back-off is that of the defaults for all tasks. Not said unless it is set; 1 to 10,000.
    /// </summary>
    public int MaxAttempts { get => _maxAttempts ?? Defaults.MaxAttempts; set => _maxAttempts = value; }

    /// <summary>
    /// How long one attempt may run, as text: <c>"00:05:00"</c> is five minutes. Default is null: not said here; 1 ms to 30 days.
    /// </summary>
    public string? Timeout { get; set; }

    /// <summary>A task with a higher priority is offered first. Not said unless it is set; any <see cref="int"/>.</summary>
    public int Priority { get => _priority ?? 0; set => _priority = value; }

    /// <param name="retry">The policy whose attempts these are.</param>
    /// <param name="problems">Where a text that is no time is told.</param>
    internal TaskDefaults Read(RetryPolicy retry, OptionProblems problems)
    {
        TimeSpan? timeout = null;
        if (Timeout is not null)
        {
            var isTime = Timeout.Contains(':', StringComparison.Ordinal)
                & TimeSpan.TryParse(Timeout, CultureInfo.InvariantCulture, out var time);
            problems.Range(!isTime, nameof(Timeout), $"'{Timeout}'", "a duration such as 00:05:00");
            timeout = isTime ? time : null;
        }

        return new TaskDefaults
        {
            Queue = Queue,
            Priority = _priority,
            Timeout = timeout,
            Retry = _maxAttempts is { } attempts ? retry with { MaxAttempts = attempts } : null,
        };
    }
}
