using Errand.Storage;

namespace Errand.Engine;

/// <summary>A worker that waits for tasks. It stays in the writer's list until it has some, or its wait ends.</summary>
internal abstract class WaitingWorker<TTurn>(ReserveRequest request, TimeProvider time) : Operation<TTurn, IReadOnlyList<ReservedTask>>
{
    internal override TurnStage Stage => TurnStage.Note;

    internal override int Rows => 0;

    internal ReserveRequest Request => request;

    internal long Owner => request.Owner.Value;

    /// <summary>
    /// When its wait ends, on the monotonic clock: counted from the call, not from when the writer saw it.
    /// </summary>
    internal long Deadline { get; } = request.Wait == Timeout.InfiniteTimeSpan
        ? long.MaxValue
        : time.GetTimestamp() + (long)(request.Wait.TotalSeconds * time.TimestampFrequency);

    /// <summary>How many slots the worker has free at this moment; none if its own code throws, which must not end a turn.</summary>
    protected int FreeSlots
    {
        get
        {
            try
            {
                return request.FreeSlots?.Invoke() ?? int.MaxValue;
            }
            catch (Exception)
            {
                return 0;
            }
        }
    }

    /// <summary>The version of what is ready of which it has seen everything.</summary>
    internal long SeenVersion { get; private set; } = -1;

    internal void NoteSeen(long version) => SeenVersion = version;

    /// <summary>Whether its wait may end without tasks.</summary>
    internal virtual bool IsOver => Deadline <= time.GetTimestamp();
}
