namespace Errand;

/// <summary>A task that the caller waited for did not succeed.</summary>
public sealed class TaskFailedException : ErrandException
{
    /// <summary>Creates the exception for a result whose state is not <see cref="TaskState.Succeeded"/>.</summary>
    /// <param name="result">How the task ended.</param>
    public TaskFailedException(TaskResult result)
        : base(Describe(result))
    {
        Result = result;
    }

    /// <summary>How the task ended. The state tells failed, cancelled and expired apart; the error says why.</summary>
    public TaskResult Result { get; }

    private static string Describe(TaskResult result)
    {
        var how = result.State switch
        {
            TaskState.Cancelled => "was cancelled",
            TaskState.Expired => "expired before it could start",
            _ => $"failed after {result.Attempts} attempt{(result.Attempts == 1 ? "" : "s")}",
        };
        var reason = result.Error is { } error ? ": " + error.Split('\n', 2)[0].TrimEnd() : ".";
        return $"Task {result.Id} ('{result.Name}') {how}{reason}";
    }
}
