namespace Errand;

/// <summary>
/// Where a backend is plugged into a host. A backend's package extends this (<c>errand.UseSqlite("tasks.db")</c>), and so needs
/// to know neither the host's container nor its configuration.
/// </summary>
public interface IErrandBuilder
{
    /// <summary>Sets the backend. One for each builder; two are a problem that is told when the host starts.</summary>
    /// <param name="section">The name of the section of the configuration that holds the backend's options.</param>
    /// <param name="create">
    /// Makes the backend, of the host's services and of that section, when the host starts; the host disposes it. What is wrong
    /// with the options is thrown as <see cref="InvalidOptionsException"/>, and told together with all other problems.
    /// </param>
    void UseBackend(string section, Func<IServiceProvider, OptionValues, IBackend> create);
}
