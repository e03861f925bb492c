namespace Errand.Running;

/// <summary>Why a handler's token was cancelled.</summary>
internal enum CancelReason
{
    /// <summary>It was not cancelled by us, or by its own timeout.</summary>
    None,

    /// <summary>The worker stops.</summary>
    Stopping,

    /// <summary>Somebody asked for the task to be cancelled.</summary>
    Requested,

    /// <summary>The task is no longer this worker's.</summary>
    LeaseLost,
}
