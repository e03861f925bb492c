using Errand.PostgreSql;

namespace Errand.Bench.Crew;

/// <summary>A place that another process can open too: a file of SQLite, or a schema of a server.</summary>
/// <param name="Store">Of which kind it is.</param>
/// <param name="Path">A file, or a connection string.</param>
/// <param name="Schema">Where on the server.</param>
internal sealed record MemberPlace(Store Store, string Path, string Schema = "")
{
    internal OpenStore Open() => Store == Store.Postgres
        ? new OpenStore(new PostgresBackend(Path, new PostgresBackendOptions { Schema = Schema }))
        : new OpenStore(Store, Path);

    /// <summary>As arguments of a program.</summary>
    internal string[] Arguments => [Store.Kind, Store.Durability, Path, Schema];

    /// <summary>The place of such arguments.</summary>
    internal static MemberPlace Read(ReadOnlySpan<string> arguments) =>
        new(new Store(arguments[0], arguments[1]), arguments[2], arguments[3]);
}
