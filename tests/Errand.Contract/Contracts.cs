using System.Reflection;

namespace Errand.Contract;

/// <summary>Which classes the contract consists of.</summary>
public static class Contracts
{
    /// <summary>The contracts that a store of an assembly should have inherited, and has not.</summary>
    public static IEnumerable<string> MissingIn(Assembly tests)
    {
        var inherited = tests.GetTypes().Select(type => type.BaseType).Where(type => type is { IsGenericType: true }).ToHashSet();
        return
            from store in tests.GetTypes()
            where store.IsAssignableTo(typeof(Store)) && !store.IsAbstract
            from contract in typeof(Contracts).Assembly.GetTypes()
            where contract is { IsAbstract: true, IsGenericTypeDefinition: true }
                && contract.Name.Contains("Contract`", StringComparison.Ordinal)
            where store.IsAssignableTo(typeof(SharedStore))
                || contract.GetGenericArguments()[0].GetGenericParameterConstraints()[0] == typeof(Store)
            where !inherited.Contains(contract.MakeGenericType(store))
            select $"{contract.Name.Split('`')[0]}<{store.Name}>";
    }
}
