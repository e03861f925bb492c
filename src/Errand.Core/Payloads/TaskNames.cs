using System.Collections.Concurrent;
using System.Reflection;
using System.Text.Json;

namespace Errand.Payloads;

/// <summary>
/// Payload types and the names they are stored under; a name belongs to one type. Thread-safe; each type is looked at once.
/// </summary>
internal sealed class TaskNames
{
    private readonly ConcurrentDictionary<Type, Entry> _names = new();
    private readonly ConcurrentDictionary<string, Type> _types = new(StringComparer.Ordinal);

    /// <summary>The name of a payload, and its former ones.</summary>
    /// <param name="type">The payload.</param>
    /// <param name="isExplicit">Whether the type must have the name from [TaskName].</param>
    /// <exception cref="ArgumentException">The name cannot be stored, belongs to another type, or has to be given and is not.</exception>
    internal TaskNameAttribute Of(Type type, bool isExplicit = false)
    {
        var entry = _names.GetOrAdd(type, static (type, names) => names.Learn(type), this);
        return entry.IsDerived && isExplicit
            ? throw new ArgumentException(
                $"'{type.FullName}' has no [TaskName], which the option RequireTaskName asks for. Set it: [TaskName(\"{entry.Name.Name}\")].")
            : entry.Name;
    }

    private Entry Learn(Type type)
    {
        var given = type.GetCustomAttribute<TaskNameAttribute>(inherit: false);
        var name = given ?? new TaskNameAttribute(DerivedName(type));
        string[] all = [name.Name, .. name.Aliases];
        foreach (var one in all)
        {
            if (OptionProblems.NameProblem(one) is { } problem)
            {
                throw new ArgumentException($"The task name of '{type.FullName}' {problem}. Set it with [TaskName(\"...\")].");
            }
        }

        foreach (var one in all)
        {
            if (_types.GetOrAdd(one, type) is var owner && owner != type)
            {
                throw new ArgumentException(
                    $"The task name '{one}' belongs to '{owner.FullName}' already, and '{type.FullName}' has it as well: tasks of the one would "
                    + "be run as the other. Give one of them another name with [TaskName(\"...\")].");
            }
        }

        return new Entry(name, given is null);
    }

    /// <summary>
    /// The type's name in kebab-case, after those of the types around it, followed by its type arguments:
    /// <c>create-order.command</c>, <c>import-of-int32</c>.
    /// </summary>
    private static string DerivedName(Type type)
    {
        if (type.IsArray)
        {
            return $"{DerivedName(type.GetElementType()!)}-array";
        }

        var name = OwnName(type);
        for (var outer = type.DeclaringType; outer is not null; outer = outer.DeclaringType)
        {
            name = $"{OwnName(outer)}.{name}";
        }

        return type.IsConstructedGenericType
            ? $"{name}-of-{string.Join("-and-", type.GenericTypeArguments.Select(DerivedName))}"
            : name;
    }

    private static string OwnName(Type type) => JsonNamingPolicy.KebabCaseLower.ConvertName(type.Name.Split('`')[0]);

    private readonly record struct Entry(TaskNameAttribute Name, bool IsDerived);
}
