// dotnet run --project samples/Inspect -- tasks.db
// Looks at a file of tasks, and changes what an operator changes, while the programs that use it go on.
using Errand;
using Errand.Sqlite;

const string usage = """
    Usage: inspect <file> [<command>]

      counts             how many tasks of each queue are in each state, and what waits in vain; the default
      list [<state>]     the newest 20 tasks, or those in one state
      explain <id>       why a task is not running
      retry [<id>]       run a failed task again, or all of them
      pause <queue>      start none of its tasks until it is resumed
      resume <queue>
    """;

if (args.Length is 0 or > 3 || !File.Exists(args[0])) // A backend would make the file.
{
    await Console.Error.WriteLineAsync(args.Length == 1 ? $"There is no file '{args[0]}'.\n\n{usage}" : usage);
    return 2;
}

await using var backend = new SqliteBackend(args[0]);
try
{
    var lines = args[1..] switch
    {
        [] or ["counts"] => await CountAsync(),
        ["list"] => await ListAsync([]),
        ["list", var state] => await ListAsync([Enum.Parse<TaskState>(state, ignoreCase: true)]),
        ["explain", var id] => (await backend.ExplainAsync(TaskId.Parse(id))).Reasons,
        ["retry"] => [$"{await backend.RetryAsync(new TaskFilter { States = [TaskState.Failed] })} tasks run again."],
        ["retry", var id] => [await backend.RetryAsync(TaskId.Parse(id)) ? "It runs again." : "It can not be retried: it waits, runs or has ended."],
        ["pause", var queue] => [await backend.PauseAsync(queue) ? $"'{queue}' is paused." : $"'{queue}' was paused already."],
        ["resume", var queue] => [await backend.ResumeAsync(queue) ? $"'{queue}' goes on." : $"'{queue}' was not paused."],
        _ => throw new ArgumentException(usage),
    };
    foreach (var line in lines)
    {
        await Console.Out.WriteLineAsync(Printable(line));
    }

    return 0;
}
catch (Exception e) when (e is ArgumentException or FormatException or OverflowException or ErrandException)
{
    await Console.Error.WriteLineAsync(e.Message);
    return 2;
}

async Task<IEnumerable<string>> CountAsync()
{
    var now = await backend.GetOverviewAsync();
    return
    [
        .. now.Counts.Select(count => $"{count.Queue,-20} {count.State,-10} {count.Tasks,8}"),
        .. now.PausedQueues.Select(queue => $"'{queue}' is paused."),
        .. now.Unclaimed.Select(tasks => $"{tasks.Tasks} tasks are called '{tasks.Name}', which no live worker knows."),
        $"{now.LiveWorkers} workers are alive.",
    ];
}

async Task<IEnumerable<string>> ListAsync(TaskState[] states)
{
    // A page may hold fewer tasks than there are: one call looks at a bounded number of them.
    List<TaskSummary> tasks = [];
    TaskId? before = null;
    do
    {
        var page = await backend.ListAsync(new TaskFilter { States = states }, limit: 20 - tasks.Count, before);
        tasks.AddRange(page.Tasks);
        before = page.Next;
    }
    while (before is not null && tasks.Count < 20);

    return tasks.Select(task => $"{task.Id,8} {task.Queue,-20} {task.Name,-20} {task.State,-10} attempt {task.Attempt}");
}

// What a task failed with may hold anything, and a terminal obeys control characters.
static string Printable(string text) => string.Concat(text.Select(character => char.IsControl(character) ? '\uFFFD' : character));
