namespace Errand.Diagnostics;

/// <summary>A store on a server, for telemetry. Found by <see cref="IBackend.Control{T}"/>; a file has none.</summary>
internal interface IServerAddress
{
    /// <summary>The host's name, its IP address, or the folder of its Unix socket; null if there are several.</summary>
    string? Address { get; }

    /// <summary>The TCP port; null for a Unix socket.</summary>
    int? Port { get; }
}
