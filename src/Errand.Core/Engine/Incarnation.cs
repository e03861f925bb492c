using Errand.Storage;
using Errand.Running;

namespace Errand.Engine;

/// <summary>One life of a worker of this backend, as long as the store keeps it.</summary>
internal class Incarnation(long owner, WorkerRegistration registration)
{
    internal long Owner => owner;

    internal TimeSpan Lease => registration.Lease;

    internal Action<TaskLease>? CancelRequested => registration.CancelRequested;

    /// <summary>Which of its queues is looked at first; the writer's alone.</summary>
    internal QueueRotation Rotation { get; } = new();
}
