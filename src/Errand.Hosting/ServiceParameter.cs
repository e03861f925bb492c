using System.Reflection;
using Microsoft.Extensions.DependencyInjection;

namespace Errand.Hosting;

/// <summary>What a handler asks for beside its task: a service of the attempt's scope, or something of the attempt.</summary>
internal sealed record ServiceParameter(Type Type, object? Key, bool IsOptional)
{
    /// <summary>What a parameter asks for.</summary>
    internal static ServiceParameter Of(ParameterInfo parameter) =>
        new(parameter.ParameterType, KeyOf(parameter), parameter.HasDefaultValue);

    /// <summary>What the last parameters of a handler ask for, whose types are known.</summary>
    internal static ServiceParameter[] Of(Delegate handler, params Type[] types)
    {
        var parameters = handler.Method.GetParameters();
        var first = parameters.Length - types.Length;
        return
        [
            .. types.Select((type, i) =>
                new ServiceParameter(type, first + i >= 0 ? KeyOf(parameters[first + i]) : null, IsOptional: false)),
        ];
    }

    internal object? Resolve(IServiceProvider services, TaskContext context)
    {
        if (Type == typeof(TaskContext))
        {
            return context;
        }

        if (Type == typeof(CancellationToken))
        {
            return context.CancellationToken;
        }

        return (Key, IsOptional) switch
        {
            (null, false) => services.GetRequiredService(Type),
            (null, true) => services.GetService(Type),
            (_, false) => services.GetRequiredKeyedService(Type, Key),
            (_, true) => (services as IKeyedServiceProvider)?.GetKeyedService(Type, Key),
        };
    }

    /// <summary>The service as a reader would name it, if it is missing; otherwise null.</summary>
    internal string? MissingIn(IServiceProviderIsService known)
    {
        var isThere = IsOptional || Type == typeof(TaskContext) || Type == typeof(CancellationToken)
            || (Key is null ? known.IsService(Type) : known is not IServiceProviderIsKeyedService keyed || keyed.IsKeyedService(Type, Key));
        return isThere ? null : Key is null ? Type.Name : $"{Type.Name} with the key '{Key}'";
    }

    private static object? KeyOf(ParameterInfo parameter) => parameter.GetCustomAttribute<FromKeyedServicesAttribute>()?.Key;
}
