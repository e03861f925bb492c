namespace Errand;

/// <summary>A task that is about to be enqueued, or was.</summary>
public sealed class EnqueueItem
{
    private EnqueueOptions _options;

    internal EnqueueItem(ITaskPayload task, EnqueueOptions options)
    {
        Task = task;
        _options = options;
    }

    /// <summary>The payload. It is written as JSON when the last middleware has called on.</summary>
    public ITaskPayload Task { get; }

    /// <summary>
    /// How it is enqueued. A middleware may replace them before it goes on (<c>item.Options = item.Options with { … }</c>); the transaction
    /// stays as the caller gave it.
    /// </summary>
    public EnqueueOptions Options
    {
        get => _options;
        set
        {
            ArgumentNullException.ThrowIfNull(value);
            _options = value;
        }
    }

    /// <summary>The id that it was given, or that of the task that holds its unique key; null before it is enqueued.</summary>
    public TaskId? Id { get; private set; }

    /// <summary>Adds a header unless the task has it.</summary>
    /// <param name="name">See <see cref="EnqueueOptions.Headers"/>.</param>
    /// <param name="value">The text.</param>
    public void AddHeader(string name, string value)
    {
        ArgumentNullException.ThrowIfNull(name);
        ArgumentNullException.ThrowIfNull(value);
        if (Options.Headers?.ContainsKey(name) != true)
        {
            Options = Options with { Headers = new Dictionary<string, string>(Options.Headers ?? Empty, StringComparer.Ordinal) { [name] = value } };
        }
    }

    internal void Enqueued(TaskId id) => Id = id;

    private static Dictionary<string, string> Empty => new(StringComparer.Ordinal);
}
