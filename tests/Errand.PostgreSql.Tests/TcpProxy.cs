using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Errand.PostgreSql.Tests;

/// <summary>A network between a backend and its server that can be cut at the worst moment.</summary>
internal sealed class TcpProxy : IAsyncDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private byte[]? _cutAfter; // Set by the test, taken by the connection that sees it pass.
    private volatile bool _isBlackHole; // Set by the test, read by every connection.
    private volatile int _target; // The same.

    internal TcpProxy(int target)
    {
        _target = target;
        _listener.Start();
        _ = AcceptAsync();
    }

    internal int Port => ((IPEndPoint)_listener.LocalEndpoint).Port;

    internal int Cuts { get; private set; }

    /// <summary>The port that new connections are carried to.</summary>
    internal int Target
    {
        get => _target;
        set => _target = value;
    }

    /// <summary>
    /// Whether bytes vanish in both directions, and nobody is told. A connection that has lost some is never whole again, not even
    /// when the way is open again for others.
    /// </summary>
    internal bool IsBlackHole
    {
        get => _isBlackHole;
        set => _isBlackHole = value;
    }

    /// <summary>Lets the next message that holds this text through, and takes its answer and the connection away.</summary>
    internal void CutAnswerTo(string text) => Volatile.Write(ref _cutAfter, Encoding.UTF8.GetBytes(text));

    public ValueTask DisposeAsync()
    {
        _listener.Dispose();
        return ValueTask.CompletedTask;
    }

    private async Task AcceptAsync()
    {
        try
        {
            while (true)
            {
                _ = CarryAsync(await _listener.AcceptTcpClientAsync());
            }
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // The test is over.
        }
    }

    private async Task CarryAsync(TcpClient client)
    {
        var isCut = false;
        var isLost = false;
        using var server = new TcpClient();
        using (client)
        {
            try
            {
                await server.ConnectAsync(IPAddress.Loopback, _target);
                await Task.WhenAny(ThereAsync(), BackAsync());
            }
            catch (Exception e) when (e is IOException or SocketException)
            {
                // One side has gone.
            }
        }

        async Task ThereAsync()
        {
            var buffer = new byte[1 << 20];
            while (await client.GetStream().ReadAsync(buffer) is > 0 and var count)
            {
                if (isLost |= _isBlackHole)
                {
                    continue;
                }

                var mark = Volatile.Read(ref _cutAfter);
                if (mark is not null && buffer.AsSpan(0, count).IndexOf(mark) >= 0)
                {
                    Volatile.Write(ref _cutAfter, null);
                    isCut = true;
                }

                await server.GetStream().WriteAsync(buffer.AsMemory(0, count));
            }
        }

        async Task BackAsync()
        {
            var buffer = new byte[1 << 20];
            while (await server.GetStream().ReadAsync(buffer) is > 0 and var count)
            {
                if (isLost |= _isBlackHole)
                {
                    continue;
                }

                if (isCut)
                {
                    await Task.Delay(100); // What follows the first packet of the answer is its commit.
                    Cuts++;
                    return;
                }

                await client.GetStream().WriteAsync(buffer.AsMemory(0, count));
            }
        }
    }
}
