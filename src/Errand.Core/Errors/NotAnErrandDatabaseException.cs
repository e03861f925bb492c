namespace Errand;

/// <summary>The file or schema to open is not a store of Errand. Nothing was changed.</summary>
/// <param name="message">What it is, as far as can be told, and the remedy.</param>
/// <param name="innerException">The provider's exception.</param>
public sealed class NotAnErrandDatabaseException(string message, Exception? innerException = null)
    : BackendException(message, isTransient: false, innerException);
