#:project ../src/Errand/Errand.csproj
using System.Net;
using Errand;
using Errand.Sqlite;

await using var backend = new SqliteBackend(":memory:");
await using var queue = new TaskQueue(backend);

var isGone = true;
var handlers = new TaskHandlers().Add<Fetch, int>((task, context) =>
{
    Console.WriteLine($"{task.Page}: attempt {context.Attempt} of {context.MaxAttempts}");
    return task.Page switch
    {
        "shy" when context.Epoch == 1 => throw new SnoozeTaskException(TimeSpan.FromMilliseconds(50)),
        "flaky" when context.Attempt < 3 => throw new IOException("The connection was reset."),
        "gone" when isGone => throw new HttpRequestException("Nothing there.", null, HttpStatusCode.NotFound),
        _ => 200,
    };
});
var options = new TaskWorkerOptions
{
    OnFailure = failed => failed.Exception is HttpRequestException { StatusCode: HttpStatusCode.NotFound }
        ? RetryDecision.FailNow
        : RetryDecision.ByPolicy,
};
await using var worker = new TaskWorker(backend, handlers, options);
await worker.StartAsync();

await (await queue.EnqueueAsync(new Fetch("shy"))).WaitAsync(TimeSpan.FromSeconds(10));

var retry = RetryPolicy.Fixed(TimeSpan.FromMilliseconds(50), maxAttempts: 4);
var flaky = await queue.EnqueueAsync(new Fetch("flaky"), new EnqueueOptions { Retry = retry });
await flaky.WaitAsync(TimeSpan.FromSeconds(10));
foreach (var attempt in (await backend.FindAsync(flaky.Id))!.History)
{
    Console.WriteLine($"  {attempt.Attempt}: {attempt.Error.Split('\n')[0].Trim()}");
}

var gone = await queue.EnqueueAsync(new Fetch("gone"));
var result = await queue.GetResultAsync(gone.Id, TimeSpan.FromSeconds(10));
Console.WriteLine($"  {result!.State} after {result.Attempts}");

isGone = false;
await backend.RetryAsync(gone.Id);                                // what an operator does when the cause is mended
Console.WriteLine($"  {await gone.WaitAsync(TimeSpan.FromSeconds(10))}");

public sealed record Fetch(string Page) : ITask<int>;
