using System.Net.Sockets;
using System.Text;

namespace Errand.Sqlite.Workers;

/// <summary>
/// Wakes a worker in another process when there may be something for it: a local datagram, where the platform has it. A
/// hint and no more: one that is lost, or cannot be sent, is made up for by polling.
/// </summary>
internal sealed class WakeSocket : IDisposable
{
    /// <summary>
    /// The longest path that a socket's address holds: 104 bytes on macOS, 108 on Linux, one of them a NUL.
    /// </summary>
    private const int LongestPath = 103;

    private readonly Socket _socket;
    private readonly string _path;
    private readonly Action _wake;

    private WakeSocket(Socket socket, string path, Action wake)
    {
        _socket = socket;
        _path = path;
        _wake = wake;
    }

    /// <summary>Listens at a path until it is disposed.</summary>
    /// <param name="path">Where; a file is made there.</param>
    /// <param name="database">The database, whose users may wake the worker.</param>
    /// <param name="wake">What to do at each datagram, on a thread of the pool.</param>
    /// <returns>Null where the platform has no such sockets, or the path is too long for one.</returns>
    internal static WakeSocket? Listen(string path, string database, Action wake)
    {
        if (!IsPossible(path))
        {
            return null;
        }

        var socket = new Socket(AddressFamily.Unix, SocketType.Dgram, ProtocolType.Unspecified);
        try
        {
            socket.Bind(new UnixDomainSocketEndPoint(path));
            PrivateFile.Share(path, database);
            var listening = new WakeSocket(socket, path, wake);
            _ = listening.ReceiveAsync();
            return listening;
        }
        catch (Exception e) when (e is SocketException or IOException or UnauthorizedAccessException)
        {
            socket.Dispose(); // Polling serves.
            return null;
        }
    }

    /// <summary>Sends one datagram, if somebody listens; never waits.</summary>
    internal static void Send(string path)
    {
        if (!IsPossible(path))
        {
            return;
        }

        try
        {
            using var socket = new Socket(AddressFamily.Unix, SocketType.Dgram, ProtocolType.Unspecified) { Blocking = false };
            socket.SendTo([1], new UnixDomainSocketEndPoint(path));
        }
        catch (SocketException)
        {
            // Nobody is there, or enough datagrams wait for him already.
        }
    }

    public void Dispose()
    {
        _socket.Dispose();
        try
        {
            File.Delete(_path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // Litter, not harm: nobody sends to it any more.
        }
    }

    private static bool IsPossible(string path) =>
        Socket.OSSupportsUnixDomainSockets && !OperatingSystem.IsWindows() && Encoding.UTF8.GetByteCount(path) <= LongestPath;

    private async Task ReceiveAsync()
    {
        var datagram = new byte[1];
        try
        {
            while (true)
            {
                await _socket.ReceiveAsync(datagram, SocketFlags.None).ConfigureAwait(false);
                _wake();
            }
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // It was disposed; or it broke, and polling serves.
        }
    }
}
