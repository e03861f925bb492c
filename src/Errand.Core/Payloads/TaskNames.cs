using System.Collections.Concurrent;
using System.Reflection;
using System.Text.Json;

namespace Errand.Payloads;

/// <summary>Payload types and the names they are stored under. Thread-safe; each type is looked at once.</summary>
internal sealed class TaskNames
{
    private readonly ConcurrentDictionary<Type, TaskNameAttribute> _names = new();

    /// <exception cref="ArgumentException">The type's name cannot be stored.</exception>
    internal TaskNameAttribute Of(Type type) => _names.GetOrAdd(type, Read);

    private static TaskNameAttribute Read(Type type)
    {
        var name = type.GetCustomAttribute<TaskNameAttribute>(inherit: false)
            ?? new TaskNameAttribute(JsonNamingPolicy.KebabCaseLower.ConvertName(type.Name));
        foreach (var one in (string[])[name.Name, .. name.Aliases])
        {
            if (OptionProblems.NameProblem(one) is { } problem)
            {
                throw new ArgumentException($"The task name of '{type.Name}' {problem}. Set it with [TaskName(\"...\")].");
            }
        }

        return name;
    }
}
