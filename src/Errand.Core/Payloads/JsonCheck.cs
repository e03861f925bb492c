using System.Diagnostics.CodeAnalysis;
using System.Reflection;
using System.Text.Json;
using System.Text.Json.Serialization;
using System.Text.Json.Serialization.Metadata;

namespace Errand.Payloads;

/// <summary>Whether values of a type come back from JSON as they went: found out once for each type, before the first is stored.</summary>
internal static class JsonCheck
{
    /// <summary>What is wrong with the type, or with one that it holds, as the rest of a sentence; null for nothing.</summary>
    internal static string? Problem(JsonTypeInfo type) => Problem(type, []);

    private static string? Problem(JsonTypeInfo type, HashSet<Type> seen)
    {
        if (!seen.Add(type.Type))
        {
            return null;
        }

        var inner = type.Kind switch
        {
            JsonTypeInfoKind.Object => type.Properties.Where(property => property.Get is not null).Select(property => property.PropertyType),
            JsonTypeInfoKind.Enumerable or JsonTypeInfoKind.Dictionary => type.ElementType is { } element ? [element] : [],
            _ => [],
        };
        return (type.Kind == JsonTypeInfoKind.Object ? OwnProblem(type) : null)
            ?? inner.Select(one => Problem(type.Options.GetTypeInfo(one), seen)).FirstOrDefault(problem => problem is not null);
    }

    private static string? OwnProblem(JsonTypeInfo type)
    {
        if (ReadingProblem(type) is { } unreadable)
        {
            return $"'{type.Type.Name}' cannot be read from JSON: {unreadable}";
        }

        if (type.Properties.FirstOrDefault(property => IsLost(type, property)) is { } property)
        {
            return $"'{type.Type.Name}.{property.AttributeProvider switch { MemberInfo member => member.Name, _ => property.Name }}' has no setter "
                + "that JSON can use, and would be lost. Make the setter public or init, take the value in the constructor, or mark the property "
                + "with [JsonInclude] or [JsonIgnore].";
        }

        return type.Options.IncludeFields || LostField(type.Type) is not { } field
            ? null
            : $"'{type.Type.Name}.{field}' is a field, and would be lost. Make it a property, mark it with [JsonInclude] or [JsonIgnore], or set "
                + "IncludeFields in the JSON options.";
    }

    /// <summary>
    /// What System.Text.Json finds out only as it reads: a constructor that does not match, an abstract class or interface. An empty
    /// object shows it. What the type's own constructor throws is not about JSON.
    /// </summary>
    private static string? ReadingProblem(JsonTypeInfo type)
    {
        try
        {
            JsonSerializer.Deserialize("{}"u8, type);
            return null;
        }
        catch (Exception e) when (e is NotSupportedException or InvalidOperationException && e.Source == typeof(JsonSerializer).Assembly.GetName().Name)
        {
            return e.Message.Split(" Path: ")[0];
        }
        catch (Exception)
        {
            // A member that is required, or the user's own code, which may throw anything.
            return null;
        }
    }

    /// <summary>
    /// It is written and holds a value of its own, which nothing sets as it is read. A property without a setter is safe where the only
    /// constructor there is sets it again.
    /// </summary>
    private static bool IsLost(JsonTypeInfo type, JsonPropertyInfo property) =>
        property is { Get: not null, Set: null, AssociatedParameter: null, IsExtensionData: false }
        && !type.Options.IgnoreReadOnlyProperties
        && property.ObjectCreationHandling != JsonObjectCreationHandling.Populate
        && property.AttributeProvider is PropertyInfo { GetMethod: { } get } member
        && get.IsDefined(typeof(System.Runtime.CompilerServices.CompilerGeneratedAttribute), inherit: false) // It is no computed one.
        && (member.SetMethod is not null || ConstructorsOf(type.Type) > 1);

    [UnconditionalSuppressMessage("Trimming", "IL2070", Justification = "A constructor that was trimmed away has set nothing.")]
    private static int ConstructorsOf(Type type) => type.GetConstructors().Length;

    [UnconditionalSuppressMessage("Trimming", "IL2070", Justification = "A field that was trimmed away holds nothing.")]
    private static string? LostField(Type type) => type.GetFields(BindingFlags.Instance | BindingFlags.Public)
        .FirstOrDefault(field => !field.IsInitOnly && !field.IsDefined(typeof(JsonIncludeAttribute)) && !field.IsDefined(typeof(JsonIgnoreAttribute)))?.Name;
}
