namespace Errand;

/// <summary>The store could not do what was asked. The provider's own exception, if any, is inside.</summary>
public class BackendException : Exception
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

    /// <summary>Whether the same call may succeed later without anybody mending anything by hand.</summary>
    public bool IsTransient { get; }
}
