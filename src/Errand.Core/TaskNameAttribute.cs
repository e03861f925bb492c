namespace Errand;

/// <summary>The name under which tasks of this payload are stored, so that the type can be renamed and moved.</summary>
/// <param name="name">
/// 1 to 128 letters, digits and <c>. _ - : /</c>. It is written into every task: change it only together with
/// <see cref="Aliases"/>.
/// </param>
[AttributeUsage(AttributeTargets.Class | AttributeTargets.Struct, Inherited = false)]
public sealed class TaskNameAttribute(string name) : Attribute
{
    /// <summary>The stored name.</summary>
    public string Name { get; } = name;

    /// <summary>Former names, which handlers of this payload still accept. Default is none.</summary>
    public string[] Aliases { get; init; } = [];
}
