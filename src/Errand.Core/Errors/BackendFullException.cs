namespace Errand;

/// <summary>The store, or the disk under it, has no room. Nothing was changed; work resumes when there is room.</summary>
/// <param name="message">What happened, to which store, and the remedy.</param>
/// <param name="innerException">The provider's exception.</param>
public sealed class BackendFullException(string message, Exception? innerException = null)
    : BackendException(message, isTransient: true, innerException);
