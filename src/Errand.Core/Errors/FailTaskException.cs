namespace Errand;

/// <summary>Thrown by a handler to fail its task at once and for good, whatever attempts are left.</summary>
/// <param name="message">What is kept as the error.</param>
/// <param name="innerException">The cause, kept with its stack. Default is null: none.</param>
public sealed class FailTaskException(string message, Exception? innerException = null) : Exception(message, innerException);
