#:project ../src/Errand/Errand.csproj
using Errand;
using Errand.Sqlite;

await using var backend = new SqliteBackend(":memory:");
await using var queue = new TaskQueue(backend);

var handlers = new TaskHandlers().Add<Import>(async (task, context) =>
{
    var done = await context.GetCheckpointAsync<int>(context.CancellationToken);        // 0 where there is none
    Console.WriteLine($"attempt {context.Attempt} begins after row {done}");
    for (; done < task.Rows; done += 100)
    {
        if (done == 300 && context.Attempt == 1)
        {
            throw new IOException("The connection was reset.");
        }

        context.ReportProgress((double)done / task.Rows, $"{done} of {task.Rows} rows");
        await context.SaveCheckpointAsync(done + 100, context.CancellationToken);       // with the rows before it done
    }

    context.ReportProgress(1, $"{task.Rows} rows");
});
await using var worker = new TaskWorker(backend, handlers);
await worker.StartAsync();

var retry = RetryPolicy.Fixed(TimeSpan.FromMilliseconds(50));
var handle = await queue.EnqueueAsync(new Import(500), new EnqueueOptions { Retry = retry });
await handle.WaitAsync(TimeSpan.FromSeconds(10));
var progress = (await backend.FindAsync(handle.Id))!.Progress!;
Console.WriteLine($"{progress.Fraction * 100} %: {progress.Message}");

public sealed record Import(int Rows) : ITask;
