namespace Errand.Bench;

/// <summary>The place of one sample's database: new, and gone with its folder when this is disposed.</summary>
internal sealed class Place : IDisposable
{
    private readonly DirectoryInfo? _folder;

    internal Place(Store store)
    {
        Store = store;
        _folder = store.IsMemory ? null : Directory.CreateTempSubdirectory("errand-bench-");
        Path = _folder is null ? ":memory:" : System.IO.Path.Combine(_folder.FullName, "tasks.db");
    }

    internal Store Store { get; }

    /// <summary>A file that does not exist yet, or <c>:memory:</c>.</summary>
    internal string Path { get; }

    public void Dispose() => _folder?.Delete(recursive: true);
}
