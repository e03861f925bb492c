namespace Errand;

/// <summary>Another connection held the store for longer than the call was willing to wait. Nothing was changed.</summary>
/// <param name="message">What happened, to which store, and the remedy.</param>
/// <param name="innerException">The provider's exception.</param>
public sealed class BackendBusyException(string message, Exception? innerException = null)
    : BackendException(message, isTransient: true, innerException);
