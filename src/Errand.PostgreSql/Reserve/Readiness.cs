namespace Errand.PostgreSql.Reserve;

/// <summary>
/// Versions of what is ready, by which a worker knows whether there is something that it has not looked at. The
/// writer's.
/// </summary>
internal sealed class Readiness
{
    /// <summary>
    /// Rises whenever tasks may have become ready. A worker that has seen all of this version has seen all.
    /// </summary>
    internal long Version { get; private set; }

    /// <summary>Rises whenever a task may have come to stand before a floor.</summary>
    internal long FloorVersion { get; private set; }

    internal void Rise() => Version++;

    internal void Reorder() => FloorVersion++;
}
