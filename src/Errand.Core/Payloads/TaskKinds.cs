using System.Collections.Concurrent;
using System.Reflection;

namespace Errand.Payloads;

/// <summary>The types whose tasks one queue enqueues. Thread-safe; each is looked at once.</summary>
internal sealed class TaskKinds(TaskNames names, TaskQueueOptions options)
{
    private readonly ConcurrentDictionary<Type, TaskKind> _kinds = new();

    /// <exception cref="ArgumentException">Its name or its defaults cannot be used; the message says why.</exception>
    internal TaskKind Of(Type type) => _kinds.GetOrAdd(type, static (type, kinds) => kinds.Learn(type), this);

    private TaskKind Learn(Type type)
    {
        var name = names.Of(type, options.RequireTaskName).Name;
        var problems = new OptionProblems($"The defaults of '{type.FullName}'");
        var attribute = type.GetCustomAttribute<TaskDefaultsAttribute>()?.Read(options.Defaults.Retry ?? RetryPolicy.Default, problems);
        attribute?.CollectProblems(problems);
        problems.ThrowIfAny();
        var defaults = options.DefaultsOf(type).Over(attribute ?? TaskDefaults.None).Over(options.Defaults);
        var kind = new TaskKind(
            name, defaults.Queue ?? Defaults.Queue, defaults.Priority ?? 0, defaults.Timeout, defaults.Retry ?? RetryPolicy.Default);
        options.Learned?.Invoke(kind);
        return kind;
    }
}
