using System.Diagnostics;
using System.Globalization;
using Errand;
using Errand.Sqlite;

// A process that tests start and kill. Every line that it prints is flushed, and says what has been done by then.
Console.Out.Flush();
Console.SetOut(new StreamWriter(Console.OpenStandardOutput()) { AutoFlush = true });
var path = args[1];
await using var backend = new SqliteBackend(path);
return args[0] switch
{
    "open" => await OpenAsync(),
    "enqueue" => await EnqueueAsync(),
    "work" => await WorkAsync(),
    _ => 2,
};

async Task<int> OpenAsync()
{
    try
    {
        await backend.InitializeAsync();
        Console.WriteLine("open");
        return 0;
    }
    catch (BackendException e)
    {
        Console.WriteLine($"{e.GetType().Name}: {e.Message}");
        return 1;
    }
}

// enqueue <path> <count>: one line for each task that is acknowledged.
async Task<int> EnqueueAsync()
{
    await using var queue = new TaskQueue(backend);
    var count = int.Parse(args[2], CultureInfo.InvariantCulture);
    for (var i = 0; i < count; i++)
    {
        var handle = await queue.EnqueueAsync(new Note(i));
        Console.WriteLine(handle.Id);
    }

    return 0;
}

// work <path>: runs notes, says so, and hangs or dies where it is told to.
async Task<int> WorkAsync()
{
    var handlers = new TaskHandlers()
        .Add<Note, int>((note, context) =>
        {
            Console.WriteLine($"note {context.Id} {context.Attempt} {context.Epoch}");
            return note.Number;
        })
        .Add<Hang>(async (_, context) =>
        {
            Console.WriteLine($"hang {context.Id} {context.Attempt} {context.Epoch}");
            await Task.Delay(Timeout.Infinite, context.CancellationToken);
        })
        .Add<Die>((_, context) =>
        {
            Console.WriteLine($"die {context.Id} {context.Attempt} {context.Epoch}");
            Process.GetCurrentProcess().Kill();
            Thread.Sleep(Timeout.Infinite);
        });

    // A lease that no test waits for: only the death of the process itself can give tasks back.
    await using var worker = new TaskWorker(
        backend, handlers, new TaskWorkerOptions { Lease = TimeSpan.FromHours(1), Heartbeat = TimeSpan.FromMinutes(1) });
    await worker.StartAsync();
    Console.WriteLine("ready");
    await Task.Delay(Timeout.Infinite);
    return 0;
}

[TaskName("note")]
internal sealed record Note(int Number) : ITask<int>;

[TaskName("hang")]
internal sealed record Hang : ITask;

[TaskName("die")]
internal sealed record Die : ITask;
