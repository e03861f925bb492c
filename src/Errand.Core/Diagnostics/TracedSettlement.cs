using System.Diagnostics;

namespace Errand.Diagnostics;

/// <summary>The write of an attempt's outcome within a span of the attempt's trace, where somebody listens.</summary>
internal static class TracedSettlement
{
    internal static async ValueTask<bool> WriteAsync(
        IBackend backend, ReservedTask task, Settlement settlement, ActivityContext attempt)
    {
        using var span = Span.StartSettle(task, settlement, attempt, backend);
        try
        {
            return await backend.SettleAsync(task.Lease, settlement, CancellationToken.None).ConfigureAwait(false);
        }
        catch (Exception e)
        {
            span.Fail(e);
            throw;
        }
    }
}
