using System.Data.Common;
using Microsoft.EntityFrameworkCore.Diagnostics;

namespace Errand.EntityFrameworkCore;

/// <summary>Tells a context's unsaved tasks how its transactions go.</summary>
internal sealed class TransactionInterceptor : DbTransactionInterceptor
{
    public override DbTransaction TransactionStarted(
        DbConnection connection, TransactionEndEventData eventData, DbTransaction result)
    {
        SaveInterceptor.TasksOf(eventData.Context)?.Started(eventData.TransactionId);
        return result;
    }

    public override ValueTask<DbTransaction> TransactionStartedAsync(
        DbConnection connection, TransactionEndEventData eventData, DbTransaction result, CancellationToken cancellationToken = default) =>
        ValueTask.FromResult(TransactionStarted(connection, eventData, result));

    public override InterceptionResult TransactionCommitting(
        DbTransaction transaction, TransactionEventData eventData, InterceptionResult result)
    {
        SaveInterceptor.TasksOf(eventData.Context)?
            .CommittingAsync(transaction, eventData.TransactionId, isAsync: false, CancellationToken.None).GetAwaiter().GetResult();
        return result;
    }

    public override async ValueTask<InterceptionResult> TransactionCommittingAsync(
        DbTransaction transaction, TransactionEventData eventData, InterceptionResult result,
        CancellationToken cancellationToken = default)
    {
        if (SaveInterceptor.TasksOf(eventData.Context) is { } tasks)
        {
            await tasks.CommittingAsync(transaction, eventData.TransactionId, isAsync: true, cancellationToken).ConfigureAwait(false);
        }

        return result;
    }

    public override void TransactionCommitted(DbTransaction transaction, TransactionEndEventData eventData) =>
        SaveInterceptor.TasksOf(eventData.Context)?.Committed(eventData.TransactionId);

    public override Task TransactionCommittedAsync(
        DbTransaction transaction, TransactionEndEventData eventData, CancellationToken cancellationToken = default)
    {
        TransactionCommitted(transaction, eventData);
        return Task.CompletedTask;
    }
}
