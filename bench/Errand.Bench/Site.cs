using Errand.Bench.Crew;
using Errand.Bench.Postgres;

namespace Errand.Bench;

/// <summary>Where a scenario measures that is the same on both backends: on stores of SQLite, or on a server.</summary>
internal sealed class Site(PostgresServer? server = null)
{
    /// <summary>As <c>--backend</c> names it.</summary>
    internal string Backend => server is null ? "sqlite" : PostgresServer.Backend;

    /// <returns>These of SQLite, or the server's.</returns>
    internal IReadOnlyList<Store> Stores(params IReadOnlyList<Store> ofSqlite) => server is null ? ofSqlite : [Store.Postgres];

    /// <summary>A measurement in a place of its own.</summary>
    internal Func<Place, int, Task<double[]>> At(Func<MemberPlace, int, Task<double[]>> measure) => server is null
        ? (place, tasks) => measure(new MemberPlace(place.Store, place.Path), tasks)
        : server.Measure((place, tasks) => measure(place.ForMember, tasks));

    /// <summary>A measurement with one metric, of a store that is open before the clock runs.</summary>
    internal Func<Place, int, Task<double[]>> At(Func<OpenStore, int, Task<double>> measure) =>
        server is null ? OpenStore.Measure(measure) : server.Measure(measure);
}
