namespace Errand;

/// <summary>
/// The base of every exception type of Errand, except <see cref="InvalidOptionsException"/>, which reports misuse. Misuse of the API
/// throws an <see cref="ArgumentException"/>, <see cref="InvalidOperationException"/> or <see cref="ObjectDisposedException"/>, and a
/// wait that runs out throws a <see cref="TimeoutException"/>.
/// </summary>
public abstract class ErrandException : Exception
{
    /// <summary>Creates the exception.</summary>
    /// <param name="message">What happened, the value, and the remedy.</param>
    /// <param name="innerException">The cause. Default is null: none.</param>
    protected ErrandException(string message, Exception? innerException = null)
        : base(message, innerException)
    {
    }
}
