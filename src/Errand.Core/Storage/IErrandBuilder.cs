namespace Errand.Storage;

/// <summary>
/// The part of a host's builder that a backend's package extends (<c>errand.UseSqlite("tasks.db")</c>). Through it the package
/// needs to know neither the host's container nor its configuration.
/// </summary>
public interface IErrandBuilder
{
    /// <summary>Sets the backend. It replaces the one that was set before.</summary>
    /// <param name="section">The name of the configuration section that holds the backend's options.</param>
    /// <param name="create">
    /// Creates the backend from the host's services and that section when the host starts. The host disposes it. An
    /// <see cref="InvalidOptionsException"/> that it throws is reported together with all other problems.
    /// </param>
    void UseBackend(string section, Func<IServiceProvider, OptionValues, IBackend> create);
}
