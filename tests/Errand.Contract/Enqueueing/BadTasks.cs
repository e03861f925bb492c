using System.Buffers;

namespace Errand.Contract;

/// <summary>Tasks with one value that no store can keep.</summary>
public static class BadTasks
{
    public static TheoryData<string> Names => [.. Bad.Keys];

    internal static NewTask? Make(string name) => Bad[name]();

    private static Dictionary<string, Func<NewTask?>> Bad { get; } = new()
    {
        ["null"] = () => null,
        ["name null"] = () => New() with { Name = null! },
        ["name empty"] = () => New(""),
        ["name long"] = () => New(new string('n', 129)),
        ["queue null"] = () => New() with { Queue = null! },
        ["queue NUL"] = () => New(queue: "a\0b"),
        ["queue pattern"] = () => New(queue: "mail-*"),
        ["delay negative"] = () => New() with { Delay = TimeSpan.FromTicks(-1) },
        ["delay max"] = () => New() with { Delay = TimeSpan.MaxValue },
        ["delay min"] = () => New() with { Delay = TimeSpan.MinValue },
        ["due min"] = () => New() with { DueAt = DateTimeOffset.MinValue },
        ["expires min"] = () => New() with { ExpiresAt = DateTimeOffset.MinValue },
        ["timeout zero"] = () => New() with { Timeout = TimeSpan.Zero },
        ["timeout negative"] = () => New() with { Timeout = Timeout.InfiniteTimeSpan },
        ["timeout max"] = () => New() with { Timeout = TimeSpan.MaxValue },
        ["key empty"] = () => New() with { UniqueKey = "" },
        ["key long"] = () => New() with { UniqueKey = new string('k', 513) },
        ["key NUL"] = () => New() with { UniqueKey = "a\0b" },
        ["key half"] = () => New() with { UniqueKey = "a\uD800" },
        ["period alone"] = () => New() with { UniqueFor = TimeSpan.FromSeconds(1) },
        ["period max"] = () => New() with { UniqueKey = "k", UniqueFor = TimeSpan.MaxValue },
        ["retry null"] = () => New() with { Retry = null! },
        ["retry attempts"] = () => New() with { Retry = new RetryPolicy { MaxAttempts = 0 } },
        ["retry delay"] = () => New() with { Retry = new RetryPolicy { Delay = TimeSpan.MaxValue, MaxDelay = TimeSpan.MaxValue } },
        ["retry factor"] = () => New() with { Retry = new RetryPolicy { Factor = double.NaN } },
        ["headers no JSON"] = () => New() with { Headers = "tenant=7" },
        ["headers no object"] = () => New() with { Headers = "[]" },
        ["headers no text"] = () => New() with { Headers = "{\"tenant\":7}" },
        ["headers NUL"] = () => New() with { Headers = "{\"tenant\":\"\0\"}" },
        ["headers half"] = () => New() with { Headers = "{\"tenant\":\"\uD800\"}" },
        ["id of nobody"] = () => New() with { Id = new TaskId(1L << 50) },
        ["id max"] = () => New() with { Id = new TaskId(long.MaxValue) },
        ["id negative"] = () => New() with { Id = new TaskId(-1) },
        ["payload too large"] = () => New() with { Payload = new byte[256 * 1024 * 1024 + 1] },
        ["payload gone"] = () => New() with { Payload = new Gone().Memory },
    };

    private static NewTask New(string name = "a", string queue = Defaults.Queue) =>
        new() { Name = name, Queue = queue, Payload = "{}"u8.ToArray() };

    /// <summary>Memory whose owner has taken it back.</summary>
    private sealed class Gone : MemoryManager<byte>
    {
        public override Span<byte> GetSpan() => throw new ObjectDisposedException("pooled memory");

        public override MemoryHandle Pin(int elementIndex = 0) => throw new ObjectDisposedException("pooled memory");

        public override void Unpin()
        {
        }

        protected override void Dispose(bool disposing)
        {
        }

        public override Memory<byte> Memory => CreateMemory(7);
    }
}
