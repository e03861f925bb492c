using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.Extensions.DependencyInjection;

namespace Errand.EntityFrameworkCore;

/// <summary>What a context's options know of Errand: the queue. Each context has the tasks that it has not saved yet.</summary>
internal sealed class ErrandOptionsExtension(Func<ITaskQueue> queue) : IDbContextOptionsExtension
{
    private readonly Lazy<ITaskQueue> _queue = new(queue);

    public DbContextOptionsExtensionInfo Info => new ExtensionInfo(this);

    internal ITaskQueue Queue => _queue.Value;

    internal static ITaskQueue QueueOf(IServiceProvider services, string? key) =>
        services.GetKeyedService<ITaskQueue>(key) ?? throw new InvalidOperationException(
            $"The services have no task queue{(key is null ? "" : $" with the key '{key}'")}. Call AddErrand.");

    public void ApplyServices(IServiceCollection services)
    {
        services.AddScoped<UnsavedTasks>();
        services.AddScoped<Microsoft.EntityFrameworkCore.Infrastructure.IResettableService>(
            provider => provider.GetRequiredService<UnsavedTasks>());
    }

    public void Validate(IDbContextOptions options)
    {
    }

    private sealed class ExtensionInfo(IDbContextOptionsExtension extension) : DbContextOptionsExtensionInfo(extension)
    {
        public override bool IsDatabaseProvider => false;

        public override string LogFragment => "using Errand ";

        public override int GetServiceProviderHashCode() => 0;

        public override bool ShouldUseSameServiceProvider(DbContextOptionsExtensionInfo other) => other is ExtensionInfo;

        public override void PopulateDebugInfo(IDictionary<string, string> debugInfo) => debugInfo["Errand"] = "1";
    }
}
