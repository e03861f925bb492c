using System.Data.Common;

namespace Errand.Contract;

/// <summary>A store that other connections and other processes can reach.</summary>
public abstract class SharedStore : Store
{
    /// <summary>Opens a caller's own connection to the database of a backend.</summary>
    public abstract Task<DbConnection> ConnectAsync(IBackend backend);

    /// <summary>Creates another backend over the same store, as another process has it, on the system's clock.</summary>
    public abstract IBackend CreateBeside(IBackend backend);
}
