namespace Errand;

/// <summary>
/// The database file was deleted, moved or replaced while a backend had it open. Nothing is read or written any more: another file
/// may be in its place, and what was committed to this one would be lost. Start the program again when the right file is there.
/// </summary>
/// <param name="message">What happened to which file, and the remedy.</param>
public sealed class DatabaseReplacedException(string message) : BackendException(message, isTransient: false);
