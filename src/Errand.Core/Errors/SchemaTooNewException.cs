namespace Errand;

/// <summary>The store was written by a newer version of Errand. Nothing was changed.</summary>
/// <param name="message">Which store, which versions, and the remedy.</param>
public sealed class SchemaTooNewException(string message) : BackendException(message);
