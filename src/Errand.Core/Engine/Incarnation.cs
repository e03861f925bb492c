using Errand.Diagnostics;
using Errand.Storage;
using Errand.Running;

namespace Errand.Engine;

/// <summary>One life of a worker of this backend, as long as the store keeps it.</summary>
internal class Incarnation(long owner, WorkerRegistration registration)
{
    internal long Owner => owner;

    internal TimeSpan Lease => registration.Lease;

    /// <summary>Called by the writer, so what it throws is dropped. It is called again until the task has been settled.</summary>
    internal Action<TaskLease>? CancelRequested { get; } = registration.CancelRequested is { } tell
        ? lease => Quietly.Run((tell, lease), static cancel => cancel.tell(cancel.lease))
        : null;

    /// <summary>Which of its queues is looked at first; the writer's alone.</summary>
    internal QueueRotation Rotation { get; } = new();
}
