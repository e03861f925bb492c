using System.Diagnostics;
using Errand.Sqlite;

namespace Errand.Core.Tests;

/// <summary>Headers, from the options of an enqueue to the handler.</summary>
public sealed class HeaderTests : IAsyncDisposable
{
    private readonly SqliteBackend _backend = new(":memory:");
    private readonly TaskQueue _queue;

    public HeaderTests() => _queue = new TaskQueue(_backend);

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_handler_has_what_the_caller_gave_whether_traced_or_not()
    {
        var seen = new TaskCompletionSource<IReadOnlyDictionary<string, string>>();
        var handlers = new TaskHandlers().Add<Tagged>((_, context) =>
        {
            seen.TrySetResult(context.Headers);
            return Task.CompletedTask;
        });
        await using var worker = new TaskWorker(_backend, handlers);
        await worker.StartAsync(Token);

        using var activity = new Activity("caller") { TraceStateString = "vendor=1" }.Start();
        var given = new Dictionary<string, string>(StringComparer.Ordinal) { ["tenant"] = "sieben \"7\"", ["X-Culture"] = "de-DE", ["none"] = "", ["zero"] = "a\0b" };
        var handle = await _queue.EnqueueAsync(new Tagged(), new EnqueueOptions { Headers = given }, Token);
        given["tenant"] = "changed afterwards";

        var headers = await seen.Task.WaitAsync(Token);
        Assert.Equal(
            new Dictionary<string, string>(StringComparer.Ordinal) { ["tenant"] = "sieben \"7\"", ["X-Culture"] = "de-DE", ["none"] = "", ["zero"] = "a\0b" },
            headers);
        await handle.WaitAsync(TimeSpan.FromSeconds(30), Token);
    }

    [Fact]
    public async Task All_that_cannot_be_a_header_is_told_at_once()
    {
        var headers = new Dictionary<string, string>(StringComparer.Ordinal)
        {
            [""] = "a", ["two words"] = "b", ["half"] = "\uD800", ["nothing"] = null!, ["traceparent"] = "00", ["large"] = new string('x', 9_000),
        };
        var e = await Assert.ThrowsAsync<InvalidOptionsException>(
            () => _queue.EnqueueAsync(new Tagged(), new EnqueueOptions { Headers = headers }, Token));
        Assert.Equal(
            [
                "Headers has a name that is empty; allowed are 1 to 128 letters, digits and . _ - : /",
                "Headers has a name that holds the character U+0020; allowed are 1 to 128 letters, digits and . _ - : /",
                "Headers holds half of a surrogate pair in half; it would not come back as it went",
                "Headers has no value for nothing; leave it out",
                "Headers names traceparent, which Errand sets from the current activity; leave it out",
                "Headers takes 9,043 bytes; allowed is 8,192 in all",
            ],
            e.Problems);
    }

    [Fact]
    public async Task No_headers_are_empty()
    {
        var seen = new TaskCompletionSource<IReadOnlyDictionary<string, string>>();
        var handlers = new TaskHandlers().Add<Tagged>((_, context) =>
        {
            seen.TrySetResult(context.Headers);
            return Task.CompletedTask;
        });
        await using var worker = new TaskWorker(_backend, handlers);
        await worker.StartAsync(Token);
        await _queue.EnqueueAsync(new Tagged(), new EnqueueOptions { Headers = new Dictionary<string, string>(StringComparer.Ordinal) }, Token);
        Assert.Empty(await seen.Task.WaitAsync(Token));
    }

    public async ValueTask DisposeAsync()
    {
        await _queue.DisposeAsync();
        await _backend.DisposeAsync();
    }

    private sealed record Tagged : ITask;
}
