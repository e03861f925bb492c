namespace Errand;

/// <summary>Throw this from a handler to fail its task permanently, whatever attempts are left.</summary>
/// <param name="message">The error to keep.</param>
/// <param name="innerException">The cause, kept with its stack. Default is null: none.</param>
public sealed class FailTaskException(string message, Exception? innerException = null) : ErrandException(message, innerException);
