namespace Errand;

/// <summary>Where a task stands. The numbers are stored and never change: 1x is live, 2x is final. In JSON it is its name.</summary>
[System.Diagnostics.CodeAnalysis.SuppressMessage(
    "Design", "CA1008:Enums should have zero value", Justification = "No task is in no state.")]
[System.Text.Json.Serialization.JsonConverter(typeof(System.Text.Json.Serialization.JsonStringEnumConverter<TaskState>))]
public enum TaskState
{
    /// <summary>Due, and waiting for a free worker.</summary>
    Pending = 10,

    /// <summary>Due later, or parked with a reason.</summary>
    Scheduled = 11,

    /// <summary>Started by a worker that holds its lease.</summary>
    Running = 12,

    /// <summary>Final: the handler returned.</summary>
    Succeeded = 20,

    /// <summary>Final: out of attempts, or failed beyond retrying. Kept until removed.</summary>
    Failed = 21,

    /// <summary>Final: cancelled before it succeeded.</summary>
    Cancelled = 22,

    /// <summary>Final: its expiry passed before it could start.</summary>
    Expired = 23,
}
