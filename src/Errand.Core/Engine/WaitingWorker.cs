using Errand.Storage;

namespace Errand.Engine;

/// <summary>A worker that waits for tasks. It stays in the writer's list until it has some, or its wait ends.</summary>
internal abstract class WaitingWorker<TTurn>(ReserveRequest request, TimeProvider time) : Operation<TTurn, IReadOnlyList<ReservedTask>>
{
    /// <summary>A longer one is forever: no process lives to see its end, and a timestamp might not hold it.</summary>
    private static readonly TimeSpan LongestWait = TimeSpan.FromDays(3650);

    private Exception? _broken; // What the worker's callback threw.

    internal override TurnStage Stage => TurnStage.Note;

    internal override int Rows => 0;

    internal ReserveRequest Request => request;

    internal long Owner => request.Owner.Value;

    /// <summary>
    /// When its wait ends, on the monotonic clock: counted from the call, not from when the writer saw it.
    /// </summary>
    internal long Deadline { get; } = request.Wait == Timeout.InfiniteTimeSpan || request.Wait > LongestWait
        ? long.MaxValue
        : time.GetTimestamp() + (long)(request.Wait.TotalSeconds * time.TimestampFrequency);

    /// <summary>The version of what is ready of which it has seen everything.</summary>
    internal long SeenVersion { get; private set; } = -1;

    internal void NoteSeen(long version) => SeenVersion = version;

    /// <summary>Whether its wait may end without tasks.</summary>
    internal virtual bool IsOver => IsBroken || Deadline <= time.GetTimestamp();

    /// <summary>Whether the worker's own callback has thrown. It is not asked again, and the wait ends.</summary>
    protected bool IsBroken => _broken is not null;

    /// <summary>How many tasks the worker can start now.</summary>
    protected int FreeSlots()
    {
        if (request.FreeSlots is not { } count)
        {
            return int.MaxValue;
        }

        try
        {
            return IsBroken ? 0 : count();
        }
        catch (Exception e)
        {
            _broken = e;
            return 0;
        }
    }

    /// <summary>Removes and returns what has been started for it.</summary>
    protected abstract IReadOnlyList<ReservedTask> Take();

    /// <summary>Passes what was started to <see cref="ReserveRequest.Started"/>, after the commit.</summary>
    /// <returns>False if the tasks are the request's result instead, which ends it.</returns>
    internal bool HandOver()
    {
        var tasks = Take();
        if (request.Started is not { } started || tasks.Any(static task => task.WasLost))
        {
            Result = tasks;
            return false;
        }

        try
        {
            started(tasks);
        }
        catch (Exception e)
        {
            _broken = e; // What it was given is lost on its way: the next reconcile releases it.
        }

        return true;
    }

    internal override bool Complete()
    {
        Result ??= [];
        Refusal = IsBroken && Result.Count == 0
            ? new BackendException("One of the worker's callbacks threw an exception.", false, _broken)
            : null;
        return base.Complete();
    }
}
