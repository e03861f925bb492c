namespace Errand.Hosting;

/// <summary>
/// The store that the package for tests puts in the place of the application's. While there is one, no worker starts: the test runs the
/// tasks itself.
/// </summary>
internal sealed record TestStore(Func<IBackend> Create);
