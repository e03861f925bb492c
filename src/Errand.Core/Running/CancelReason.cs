namespace Errand.Running;

/// <summary>Why a handler's token was cancelled. This decides what becomes of the task, not the exception that the handler throws.</summary>
internal enum CancelReason
{
    /// <summary>It was not cancelled.</summary>
    None,

    /// <summary>The attempt has run for its timeout.</summary>
    TimedOut,

    /// <summary>The worker stops.</summary>
    Stopping,

    /// <summary>Somebody asked for the task to be cancelled.</summary>
    Requested,

    /// <summary>The task is no longer this worker's.</summary>
    LeaseLost,
}
