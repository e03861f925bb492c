namespace Errand;

/// <summary>What became of the wish to cancel a task.</summary>
public enum CancelOutcome
{
    /// <summary>It was waiting, and has ended as cancelled: it will never start again.</summary>
    Cancelled,

    /// <summary>
    /// It runs. Its handler's token is cancelled within a second, and it ends as cancelled when the handler gives up; one that
    /// returns all the same has succeeded. Either way it is not tried again.
    /// </summary>
    Requested,

    /// <summary>It had ended already; nothing was changed.</summary>
    AlreadyFinished,
}
