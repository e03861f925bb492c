using System.Globalization;
using System.Reflection;
using System.Text;

namespace Errand.Tests;

/// <summary>The public face of an assembly as text, one line a member, so that a change to it shows as a change to a file.</summary>
internal static class PublicApi
{
    private const BindingFlags Declared =
        BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.Instance | BindingFlags.Static | BindingFlags.DeclaredOnly;

    private static readonly NullabilityInfoContext Nullability = new();

    internal static string Describe(Assembly assembly)
    {
        var text = new StringBuilder();
        foreach (var type in assembly.GetExportedTypes().OrderBy(type => type.FullName, StringComparer.Ordinal))
        {
            text.Append(HeadOf(type)).Append('\n');
            foreach (var line in MembersOf(type).Order(StringComparer.Ordinal))
            {
                text.Append("    ").Append(line).Append('\n');
            }

            text.Append('\n');
        }

        return text.ToString();
    }

    private static string HeadOf(Type type)
    {
        var kind = type switch
        {
            { IsEnum: true } => "enum",
            { IsInterface: true } => "interface",
            { IsValueType: true } => "struct",
            { IsAbstract: true, IsSealed: true } => "static class",
            { IsAbstract: true } => "abstract class",
            { IsSealed: true } => "sealed class",
            _ => "class",
        };
        var inherited = type.BaseType?.GetInterfaces() ?? [];
        var parents = type.GetInterfaces().Except(inherited)
            .Where(one => one.IsPublic && !one.Name.StartsWith("IEquatable", StringComparison.Ordinal))
            .Select(NameOf).Order(StringComparer.Ordinal).ToList();
        if (type.BaseType is { } parent && parent != typeof(object) && parent != typeof(ValueType) && parent != typeof(Enum))
        {
            parents.Insert(0, NameOf(parent));
        }

        return $"{kind} {type.Namespace}.{NameOf(type)}{(parents.Count > 0 && !type.IsEnum ? " : " + string.Join(", ", parents) : "")}";
    }

    private static IEnumerable<string> MembersOf(Type type)
    {
        if (type.IsEnum)
        {
            return Enum.GetValuesAsUnderlyingType(type).Cast<object>()
                .Select(value => string.Create(CultureInfo.InvariantCulture, $"{Enum.GetName(type, value)} = {value}"));
        }

        return
        [
            .. type.GetFields(Declared).Where(field => IsVisible(field.IsPublic, field.IsFamily || field.IsFamilyOrAssembly)).Select(DescribeField),
            .. type.GetConstructors(Declared).Where(made => IsVisible(made.IsPublic, made.IsFamily || made.IsFamilyOrAssembly))
                .Select(made => $".ctor({ParametersOf(made)})"),
            .. type.GetProperties(Declared).Select(property => DescribeProperty(property)).OfType<string>(),
            .. type.GetEvents(Declared).Where(one => one.AddMethod!.IsPublic).Select(one => $"event {NameOf(one.EventHandlerType!)} {one.Name}"),
            .. type.GetMethods(Declared)
                .Where(method => IsVisible(method.IsPublic, method.IsFamily || method.IsFamilyOrAssembly) && !method.IsSpecialName)
                .Where(method => !IsOfRecord(type, method)).Select(DescribeMethod),
        ];
    }

    private static bool IsVisible(bool isPublic, bool isProtected) => isPublic || isProtected;

    /// <summary>What the compiler makes for every record says nothing.</summary>
    private static bool IsOfRecord(Type type, MethodInfo method) =>
        type.GetMethod("<Clone>$") is not null || type.GetMethod("PrintMembers", Declared) is not null
            ? method.Name is "<Clone>$" or "PrintMembers" or "Equals" or "GetHashCode" or "ToString" or "Deconstruct"
            : method.Name is "Equals" or "GetHashCode" or "ToString" && method.DeclaringType != type;

    private static string DescribeField(FieldInfo field) =>
        field.IsLiteral
            ? string.Create(CultureInfo.InvariantCulture, $"const {NameOf(field.FieldType)} {field.Name} = {field.GetRawConstantValue()}")
            : $"{(field.IsStatic ? "static " : "")}{NameOf(field.FieldType)} {field.Name}";

    private static string? DescribeProperty(PropertyInfo property)
    {
        List<string> accessors = [];
        if (property.GetMethod is { } get && IsVisible(get.IsPublic, get.IsFamily || get.IsFamilyOrAssembly))
        {
            accessors.Add("get;");
        }

        if (property.SetMethod is { } set && IsVisible(set.IsPublic, set.IsFamily || set.IsFamilyOrAssembly))
        {
            accessors.Add(set.ReturnParameter.GetRequiredCustomModifiers().Any(one => one.Name == "IsExternalInit") ? "init;" : "set;");
        }

        var required = property.CustomAttributes.Any(one => one.AttributeType.Name == "RequiredMemberAttribute") ? "required " : "";
        var shared = property.GetMethod?.IsStatic == true ? "static " : "";
        return accessors.Count == 0 || property.Name == "EqualityContract"
            ? null
            : $"{shared}{required}{NameOf(property.PropertyType, Nullability.Create(property))} {property.Name} {{ {string.Join(' ', accessors)} }}";
    }

    private static string DescribeMethod(MethodInfo method)
    {
        var modifier = method switch
        {
            { IsStatic: true } => "static ",
            { IsAbstract: true, DeclaringType.IsInterface: false } => "abstract ",
            { IsVirtual: true, IsFinal: false, DeclaringType: { IsInterface: false, IsSealed: false } } => "virtual ",
            _ => "",
        };
        var generic = method.IsGenericMethodDefinition ? $"<{string.Join(", ", method.GetGenericArguments().Select(one => one.Name))}>" : "";
        var result = NameOf(method.ReturnType, Nullability.Create(method.ReturnParameter));
        return $"{modifier}{result} {method.Name}{generic}({ParametersOf(method)})";
    }

    private static string ParametersOf(MethodBase method) => string.Join(", ", method.GetParameters().Select(parameter =>
        $"{NameOf(parameter.ParameterType, Nullability.Create(parameter))} {parameter.Name}"
        + (parameter.HasDefaultValue ? string.Create(CultureInfo.InvariantCulture, $" = {parameter.RawDefaultValue ?? "default"}") : "")));

    private static string NameOf(Type type) => NameOf(type, null);

    private static string NameOf(Type type, NullabilityInfo? nullability)
    {
        var mark = !type.IsValueType && nullability?.ReadState == NullabilityState.Nullable ? "?" : "";
        if (Nullable.GetUnderlyingType(type) is { } value)
        {
            return NameOf(value) + "?";
        }

        if (type.IsArray)
        {
            return NameOf(type.GetElementType()!) + "[]" + mark;
        }

        var name = type.IsNested && !type.IsGenericParameter ? NameOf(type.DeclaringType!) + "." + type.Name : type.Name;
        if (!type.IsGenericType)
        {
            return name + mark;
        }

        var arguments = type.GetGenericArguments()
            .Select((one, i) => NameOf(one, nullability?.GenericTypeArguments.ElementAtOrDefault(i)));
        return $"{name.Split('`')[0]}<{string.Join(", ", arguments)}>{mark}";
    }
}
