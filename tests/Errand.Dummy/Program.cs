using System.Diagnostics;
using System.Globalization;
using Errand;
using Errand.PostgreSql;
using Errand.Sqlite;
using Microsoft.Data.Sqlite;
using Microsoft.Extensions.Logging;

// A process that tests start and kill. Every line that it prints is flushed, and says what has been done by then.
Console.Out.Flush();
Console.SetOut(new StreamWriter(Console.OpenStandardOutput()) { AutoFlush = true });
var path = args[1];
await using var backend = Open(path);
return args[0] switch
{
    "open" => await OpenAsync(),
    "enqueue" => await EnqueueAsync(),
    "work" => await WorkAsync(),
    _ => 2,
};

// A file of SQLite; or a schema of PostgreSQL, as schema@connection string.
static IBackend Open(string path) => path.Split('@', 2) is [var schema, var connectionString]
    ? new PostgresBackend(connectionString, new PostgresBackendOptions { Schema = schema })
    : new SqliteBackend(path, logger: new ConsoleLogger<SqliteBackend>());

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

// work <path> [<lease ms>]: runs what it is told to, and says what happens.
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
            await using var told = context.CancellationToken.Register(() => Console.WriteLine($"told {context.Id} {context.Epoch}"));
            await Task.Delay(Timeout.Infinite, context.CancellationToken);
        })
        .Add<UntilFile, int>((task, context) =>
        {
            Console.WriteLine($"until {context.Id} {context.Attempt} {context.Epoch}");
            while (!File.Exists(task.Path))
            {
                Thread.Sleep(5); // It ignores its token, as code does that knows of none.
            }

            return context.Attempt;
        })
        .Add<Starve>((task, context) =>
        {
            Console.WriteLine($"starve {context.Id} {context.Attempt} {context.Epoch}");
            ThreadPool.GetMinThreads(out var threads, out _);
            ThreadPool.SetMaxThreads(threads, threads);
            for (var i = 0; i < threads * 2; i++)
            {
                ThreadPool.UnsafeQueueUserWorkItem(_ => Thread.Sleep(task.Milliseconds), null);
            }

            Thread.Sleep(task.Milliseconds);
        })
        .Add<Effect, int>(async (task, context) =>
        {
            Console.WriteLine($"effect {context.Id} {context.Attempt} {context.Epoch}");
            await using var connection = new SqliteConnection($"Data Source={path};Pooling=False");
            await connection.OpenAsync();
            await using var transaction = await ((SqliteBackend)backend).BeginTransactionAsync(connection);
            await using var command = connection.CreateCommand();
            command.Transaction = transaction;
            command.CommandText = $"insert into effects values ({context.Id})";
            await command.ExecuteNonQueryAsync();
            DieAt("before complete");
            await context.CompleteInAsync(transaction, 7);
            DieAt("before commit");
            await transaction.CommitAsync();
            DieAt("after commit");
            return 0;

            void DieAt(string point)
            {
                if (context.Attempt == 1 && task.DieAt == point)
                {
                    Process.GetCurrentProcess().Kill();
                    Thread.Sleep(Timeout.Infinite);
                }
            }
        })
        .Add<Good, int>(async (_, context) =>
        {
            Console.WriteLine($"good {context.Id} {context.Attempt} {context.Epoch}");
            await Task.Delay(400);
            return context.Attempt;
        })
        .Add<Poison>(async (_, context) =>
        {
            Console.WriteLine($"poison {context.Id} {context.Attempt} {context.Epoch}");
            await Task.Delay(100);
            Process.GetCurrentProcess().Kill();
            Thread.Sleep(Timeout.Infinite);
        })
        .Add<Die>((_, context) =>
        {
            Console.WriteLine($"die {context.Id} {context.Attempt} {context.Epoch}");
            Process.GetCurrentProcess().Kill();
            Thread.Sleep(Timeout.Infinite);
        });

    // By default a lease that no test waits for: only the death of the process itself can give tasks back.
    var lease = args.Length > 2 ? TimeSpan.FromMilliseconds(int.Parse(args[2], CultureInfo.InvariantCulture)) : TimeSpan.FromHours(1);
    await using var worker = new TaskWorker(
        backend, handlers, new TaskWorkerOptions { Lease = lease, Heartbeat = lease * 0.3 }, new ConsoleLogger<TaskWorker>());
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

[TaskName("good")]
internal sealed record Good : ITask<int>;

[TaskName("poison")]
internal sealed record Poison : ITask;

[TaskName("effect")]
internal sealed record Effect(string DieAt) : ITask<int>;

[TaskName("until-file")]
internal sealed record UntilFile(string Path) : ITask<int>;

[TaskName("starve")]
internal sealed record Starve(int Milliseconds) : ITask;

internal sealed class ConsoleLogger<T> : ILogger<T>
{
    public IDisposable? BeginScope<TState>(TState state)
        where TState : notnull => null;

    public bool IsEnabled(LogLevel logLevel) => true;

    public void Log<TState>(
        LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
        Console.WriteLine($"log {eventId.Id} {formatter(state, exception)}");
}
