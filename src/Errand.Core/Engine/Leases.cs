using Errand.Storage;

namespace Errand.Engine;

/// <summary>Leases as the stores read them: three numbers.</summary>
internal static class Leases
{
    internal static TaskLease Of(long id, long owner, long epoch) =>
        new() { Id = new TaskId(id), Owner = new WorkerId(owner), Epoch = epoch };
}
