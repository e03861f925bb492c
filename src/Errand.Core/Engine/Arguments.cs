using Errand.Running;
using Errand.Storage;

namespace Errand.Engine;

/// <summary>
/// Arguments of callers, checked and copied before they enter a store's inbox: its writer, on another thread and perhaps
/// later, meets nothing that is bad, and nothing that the caller has changed or taken back.
/// </summary>
internal static class Arguments
{
    private const int MaxMessageLength = 1_024;

    /// <exception cref="ArgumentException">There is no task, one is null, or one has a value that no store can keep.</exception>
    internal static NewTask[] Copy(IReadOnlyList<NewTask> tasks)
    {
        ArgumentNullException.ThrowIfNull(tasks);
        NewTask[] copy = [.. tasks];
        ArgumentOutOfRangeException.ThrowIfZero(copy.Length, nameof(tasks));
        for (var i = 0; i < copy.Length; i++)
        {
            copy[i] = NewTasks.Copy(copy[i] ?? throw new ArgumentNullException(nameof(tasks), $"The task at index {i} is null."));
        }

        return copy;
    }

    internal static WorkerRegistration Copy(WorkerRegistration worker)
    {
        ArgumentNullException.ThrowIfNull(worker);
        ArgumentNullException.ThrowIfNull(worker.TaskNames, nameof(worker));
        ArgumentOutOfRangeException.ThrowIfLessThanOrEqual(worker.Lease, TimeSpan.Zero, nameof(worker));
        string[] names = [.. worker.TaskNames];
        foreach (var name in names)
        {
            if (OptionProblems.NameProblem(name) is { } problem)
            {
                throw new ArgumentException($"The name of a task {problem}.", nameof(worker));
            }
        }

        return worker with { TaskNames = names, Queues = Copy(worker.Queues, nameof(worker)) };
    }

    internal static ReserveRequest Copy(ReserveRequest request)
    {
        ArgumentNullException.ThrowIfNull(request);
        ArgumentOutOfRangeException.ThrowIfLessThan(request.MaxTasks, 1, nameof(request));
        CheckWait(request.Wait, nameof(request));
        return request with { Queues = Copy(request.Queues, nameof(request)) };
    }

    internal static Settlement Copy(Settlement settlement)
    {
        ArgumentNullException.ThrowIfNull(settlement);
        if (settlement is Settlement.Failed { Error: null } or Settlement.Retried { Error: null })
        {
            throw new ArgumentException("The settlement has no error. Say what failed.", nameof(settlement));
        }

        return settlement is Settlement.Succeeded { Result.Length: > 0 } succeeded
            ? succeeded with { Result = Copy(succeeded.Result, nameof(settlement)) }
            : settlement;
    }

    internal static HashSet<TaskId> Copy(IReadOnlySet<TaskId> known)
    {
        ArgumentNullException.ThrowIfNull(known);
        return [.. known];
    }

    /// <exception cref="ArgumentException">It is larger than any store can keep.</exception>
    internal static byte[] Copy(ReadOnlyMemory<byte> bytes, string parameter)
    {
        CheckSize(bytes.Length, parameter);
        return bytes.ToArray();
    }

    internal static void CheckSize(int bytes, string parameter)
    {
        if (bytes > OptionProblems.MaxBytes)
        {
            throw new ArgumentException(
                $"The data has {bytes:N0} bytes; the limit is {OptionProblems.MaxBytes:N0}. Store it elsewhere and pass its key.", parameter);
        }
    }

    internal static void CheckProgress(double? fraction, string? message)
    {
        if (fraction is { } given && !(given is >= 0 and <= 1))
        {
            throw new ArgumentOutOfRangeException(nameof(fraction), fraction, "The fraction of progress is between 0 and 1.");
        }

        if (message is not null && (message.Length > MaxMessageLength || message.Contains('\0', StringComparison.Ordinal)))
        {
            throw new ArgumentException(
                $"The message has at most {MaxMessageLength:N0} characters, none of them U+0000.", nameof(message));
        }
    }

    internal static void CheckLog(string log)
    {
        ArgumentNullException.ThrowIfNull(log);
        if (log.Length > AttemptLog.MaxLength)
        {
            throw new ArgumentException($"The log has {log.Length:N0} characters; the limit is {AttemptLog.MaxLength:N0}.", nameof(log));
        }
    }

    internal static void CheckWait(TimeSpan wait, string parameter)
    {
        if (wait < TimeSpan.Zero && wait != Timeout.InfiniteTimeSpan)
        {
            throw new ArgumentOutOfRangeException(
                parameter, wait, "A wait cannot be negative; use zero, or Timeout.InfiniteTimeSpan to wait forever.");
        }
    }

    internal static ArgumentException NeverGiven(long id) =>
        new($"The id {id} was never given out. Ids come from NewIdAsync; a key of your own belongs in the payload.");

    private static QueueSubscription[] Copy(IReadOnlyList<QueueSubscription> queues, string parameter)
    {
        ArgumentNullException.ThrowIfNull(queues, parameter);
        QueueSubscription[] copy = [.. queues];
        foreach (var queue in copy)
        {
            if (string.IsNullOrEmpty(queue.Queue) || queue.Weight < 1)
            {
                throw new ArgumentException(
                    $"A subscription names the queue '{queue.Queue}' with a weight of {queue.Weight}. Give a name and a weight of 1 or more.",
                    parameter);
            }
        }

        return copy;
    }
}
