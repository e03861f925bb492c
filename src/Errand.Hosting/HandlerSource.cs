using System.Diagnostics.CodeAnalysis;
using Microsoft.Extensions.DependencyInjection;

namespace Errand.Hosting;

/// <summary>Where a handler comes from: a delegate or a class, and what it asks for.</summary>
internal sealed class HandlerSource
{
    private readonly ServiceParameter[][] _asked; // One entry for a delegate; one for each constructor of a class.

    internal HandlerSource(Delegate handler, ServiceParameter[] asked, bool isSynchronous)
    {
        _asked = [asked];
        OwnsThread = isSynchronous || TaskHandlers.IsLongRunning(handler);
    }

    private HandlerSource(Type type, ServiceParameter[][] constructors)
    {
        Class = type;
        _asked = constructors;
        OwnsThread = type.IsDefined(typeof(LongRunningAttribute), inherit: true);
    }

    /// <summary>The class that handles the payload; null for a delegate.</summary>
    internal Type? Class { get; }

    /// <summary>It blocks, or may.</summary>
    internal bool OwnsThread { get; }

    internal static HandlerSource Of([DynamicallyAccessedMembers(DynamicallyAccessedMemberTypes.PublicConstructors)] Type type) =>
        new(type,
        [
            .. type.GetConstructors().Select(constructor => constructor.GetParameters()
                .Where(parameter => !parameter.IsDefined(typeof(ServiceKeyAttribute), inherit: false)).Select(ServiceParameter.Of).ToArray()),
        ]);

    /// <summary>What it asks for and nobody has registered.</summary>
    /// <param name="known">Knows what is registered.</param>
    /// <param name="services">The host's registrations: a class that somebody makes in another way asks for nothing.</param>
    internal IEnumerable<string> MissingIn(IServiceProviderIsService known, IServiceCollection services) =>
        Class is not null && !services.Any(one => !one.IsKeyedService && one.ServiceType == Class && one.ImplementationType == Class)
            ? []
            : _asked.Select(asked => asked.Select(one => one.MissingIn(known)).OfType<string>().ToArray())
                .OrderBy(missing => missing.Length).FirstOrDefault() ?? [];
}
