namespace Errand;

/// <summary>The store or its disk is full. Nothing was changed; the same call succeeds once there is room.</summary>
/// <param name="message">What happened, to which store, and the remedy.</param>
/// <param name="innerException">The provider's exception.</param>
public sealed class BackendFullException(string message, Exception? innerException = null)
    : BackendException(message, isTransient: true, innerException);
