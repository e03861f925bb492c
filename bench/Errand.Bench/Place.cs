namespace Errand.Bench;

/// <summary>
/// The place of one sample's database in a file: new, and gone with its folder when this is disposed. A server's is a
/// <see cref="Postgres.ServerPlace"/>.
/// </summary>
internal sealed class Place : IDisposable
{
    private readonly DirectoryInfo? _folder;

    internal Place(Store store)
    {
        Store = store;
        _folder = store.IsFile ? Directory.CreateTempSubdirectory("errand-bench-") : null;
        Path = _folder is null ? ":memory:" : System.IO.Path.Combine(_folder.FullName, "tasks.db");
    }

    internal Store Store { get; }

    /// <summary>A file that does not exist yet, or <c>:memory:</c>.</summary>
    internal string Path { get; }

    public void Dispose() => _folder?.Delete(recursive: true);
}
