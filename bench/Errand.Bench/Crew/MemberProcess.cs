using System.Diagnostics;
using System.Text.Json;

namespace Errand.Bench.Crew;

/// <summary>This program as a <see cref="Member"/>, in a process that is gone when this is disposed.</summary>
internal sealed class MemberProcess : IAsyncDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(1);
    private static readonly TimeSpan Farewell = TimeSpan.FromSeconds(10);

    private readonly Process _process;

    internal MemberProcess(MemberPlace place, TimeSpan calling) =>
        _process = Self.Start(Member.Arguments(place, calling), isMember: true);

    /// <summary>Gives an order.</summary>
    internal async Task<MemberReport> TellAsync(string order)
    {
        await _process.StandardInput.WriteLineAsync(order);
        await _process.StandardInput.FlushAsync();
        return await ReportAsync();
    }

    /// <summary>Waits for its next report: the first comes when it is ready, then one for each order.</summary>
    internal async Task<MemberReport> ReportAsync()
    {
        var line = await _process.StandardOutput.ReadLineAsync().WaitAsync(Patience);
        return line is null
            ? throw new InvalidOperationException("A process of the crew ended early; what it said is above.")
            : JsonSerializer.Deserialize<MemberReport>(line) ?? throw new JsonException($"'{line}' is not a report.");
    }

    public async ValueTask DisposeAsync()
    {
        try
        {
            _process.StandardInput.Close(); // The end of its orders: it leaves.
            await _process.WaitForExitAsync().WaitAsync(Farewell);
        }
        catch (Exception e) when (e is IOException or TimeoutException)
        {
            // It is gone already, or must be made to go.
        }
        finally
        {
            _process.Kill(); // Does nothing to one that has ended.
            _process.Dispose();
        }
    }
}
