using System.Reflection;

namespace Errand.Tests;

/// <summary>A backend that answers or throws where a test says so, and otherwise passes each call on.</summary>
public class FaultyBackend : DispatchProxy
{
    private IBackend _inner = null!;
    private Func<string, object?[], object?> _fault = (_, _) => null;

    /// <param name="fault">
    /// Given the name of the method and its arguments: an exception is thrown, another object is the answer, null lets the call pass.
    /// </param>
    public static IBackend Over(IBackend inner, Func<string, object?[], object?> fault)
    {
        var backend = Create<IBackend, FaultyBackend>();
        ((FaultyBackend)(object)backend)._inner = inner;
        ((FaultyBackend)(object)backend)._fault = fault;
        return backend;
    }

    protected override object? Invoke(MethodInfo? targetMethod, object?[]? args) =>
        _fault(targetMethod!.Name, args!) switch
        {
            null => targetMethod.Invoke(_inner, args),
            Exception fault => throw fault,
            var answer => answer,
        };
}
