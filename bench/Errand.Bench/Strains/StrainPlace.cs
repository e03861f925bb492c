using System.Data.Common;

namespace Errand.Bench.Strains;

/// <summary>A store under strain: opened as often as processes would open it, and reached by strangers.</summary>
/// <param name="Open">Opens a backend on it. Several at once are as several processes.</param>
/// <param name="ConnectAsync">A stranger's connection, open.</param>
/// <param name="HoldSql">What a stranger executes in a transaction that keeps everybody else from writing.</param>
/// <param name="ReadSql">What a stranger reads.</param>
/// <param name="LogBytes">How long the log is at this moment; 0 where that is the server's affair.</param>
internal sealed record StrainPlace(
    Func<OpenStore> Open, Func<Task<DbConnection>> ConnectAsync, string HoldSql, string ReadSql, Func<long> LogBytes);
