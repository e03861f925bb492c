namespace Errand;

/// <summary>What was to be opened is something else than a store of Errand's. Nothing was changed.</summary>
/// <param name="message">What it is, as far as can be told, and the remedy.</param>
/// <param name="innerException">The provider's exception.</param>
public sealed class NotAnErrandDatabaseException(string message, Exception? innerException = null)
    : BackendException(message, isTransient: false, innerException);
