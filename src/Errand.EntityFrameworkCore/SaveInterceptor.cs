using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Diagnostics;
using Microsoft.EntityFrameworkCore.Infrastructure;

namespace Errand.EntityFrameworkCore;

/// <summary>Tells a context's unsaved tasks how its <c>SaveChanges</c> goes.</summary>
internal sealed class SaveInterceptor : SaveChangesInterceptor
{
    public override InterceptionResult<int> SavingChanges(DbContextEventData eventData, InterceptionResult<int> result)
    {
        TasksOf(eventData.Context)?.SavingAsync(isAsync: false, CancellationToken.None).GetAwaiter().GetResult();
        return result;
    }

    public override async ValueTask<InterceptionResult<int>> SavingChangesAsync(
        DbContextEventData eventData, InterceptionResult<int> result, CancellationToken cancellationToken = default)
    {
        if (TasksOf(eventData.Context) is { } tasks)
        {
            await tasks.SavingAsync(isAsync: true, cancellationToken).ConfigureAwait(false);
        }

        return result;
    }

    public override int SavedChanges(SaveChangesCompletedEventData eventData, int result)
    {
        TasksOf(eventData.Context)?.SavedAsync(isAsync: false, CancellationToken.None).GetAwaiter().GetResult();
        return result;
    }

    public override async ValueTask<int> SavedChangesAsync(
        SaveChangesCompletedEventData eventData, int result, CancellationToken cancellationToken = default)
    {
        if (TasksOf(eventData.Context) is { } tasks)
        {
            await tasks.SavedAsync(isAsync: true, cancellationToken).ConfigureAwait(false);
        }

        return result;
    }

    public override void SaveChangesFailed(DbContextErrorEventData eventData) => TasksOf(eventData.Context)?.Failed();

    public override Task SaveChangesFailedAsync(DbContextErrorEventData eventData, CancellationToken cancellationToken = default)
    {
        TasksOf(eventData.Context)?.Failed();
        return Task.CompletedTask;
    }

    public override void SaveChangesCanceled(DbContextEventData eventData) => TasksOf(eventData.Context)?.Failed();

    public override Task SaveChangesCanceledAsync(DbContextEventData eventData, CancellationToken cancellationToken = default)
    {
        TasksOf(eventData.Context)?.Failed();
        return Task.CompletedTask;
    }

    internal static UnsavedTasks? TasksOf(DbContext? context) => context?.GetService<UnsavedTasks>();
}
