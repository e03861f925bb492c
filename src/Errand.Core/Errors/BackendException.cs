namespace Errand;

/// <summary>The store could not complete the call. The provider's own exception, if there is one, is the inner exception.</summary>
public class BackendException : ErrandException
{
    /// <summary>Creates the exception.</summary>
    /// <param name="message">What happened, to which store, and the remedy.</param>
    /// <param name="isTransient">Whether the same call may succeed later.</param>
    /// <param name="innerException">The provider's exception.</param>
    public BackendException(string message, bool isTransient = false, Exception? innerException = null)
        : base(message, innerException)
    {
        IsTransient = isTransient;
    }

    /// <summary>Whether the same call may succeed later without anybody fixing the store.</summary>
    public bool IsTransient { get; }
}
