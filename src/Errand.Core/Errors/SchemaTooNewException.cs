namespace Errand;

/// <summary>A newer version of Errand wrote this store. Nothing was changed.</summary>
/// <param name="message">Which store, which versions, and the remedy.</param>
public sealed class SchemaTooNewException(string message) : BackendException(message);
