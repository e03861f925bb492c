using Errand.Sqlite;

namespace Errand.Tests;

public sealed class NameTests
{
    [TaskName("")]
    private sealed record Nameless : ITask;

    [TaskName("has space")]
    private sealed record Spaced : ITask;

    private sealed record Generic<T>(T Value) : ITask;

    [Fact]
    public async Task A_task_is_stored_under_its_type_s_own_name_in_kebab_case_or_the_given_one()
    {
        Assert.Equal("send-welcome-email", await NameOfAsync(new SendWelcomeEmail("ada@example.org")));
        Assert.Equal("ping", await NameOfAsync(new Ping()));
    }

    private static async Task<string> NameOfAsync(ITask task)
    {
        await using var backend = new SqliteBackend(":memory:");
        await using var queue = new TaskQueue(backend);
        var handle = await queue.EnqueueAsync(task);
        var handlers = new TaskHandlers()
            .Add<SendWelcomeEmail>((_, _) => { })
            .Add<Ping>((_, _) => { });
        await using var worker = new TaskWorker(backend, handlers);
        await worker.StartAsync();
        return (await queue.GetResultAsync(handle.Id, TimeSpan.FromSeconds(30)))!.Name;
    }

    [Fact]
    public async Task Names_that_cannot_be_stored_are_refused_with_the_remedy()
    {
        await using var backend = new SqliteBackend(":memory:");
        await using var queue = new TaskQueue(backend);

        var empty = await Assert.ThrowsAsync<ArgumentException>(() => queue.EnqueueAsync(new Nameless()));
        var spaced = Assert.Throws<ArgumentException>(() => new TaskHandlers().Add<Spaced>((_, _) => { }));
        var generic = await Assert.ThrowsAsync<ArgumentException>(() => queue.EnqueueAsync(new Generic<int>(1)));

        Assert.Equal(
            "The task name of 'Nameless' is empty; allowed are 1 to 128 letters, digits and . _ - : /. "
            + "Set it with [TaskName(\"...\")].",
            empty.Message);
        Assert.Contains("holds the character U+0020", spaced.Message, StringComparison.Ordinal);
        Assert.Contains("holds the character U+0060", generic.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_task_that_was_stored_under_a_former_name_still_runs()
    {
        await using var backend = new SqliteBackend(":memory:");
        await using var queue = new TaskQueue(backend);
        var old = await backend.EnqueueAsync([new NewTask { Name = "first-name", Payload = "{\"Number\":4}"u8.ToArray() }]);
        var current = await queue.EnqueueAsync(new Renamed(5));
        await using var worker = new TaskWorker(backend, new TaskHandlers().Add<Renamed, int>((task, _) => task.Number));
        await worker.StartAsync();

        Assert.Equal(5, await current.WaitAsync(TimeSpan.FromSeconds(30)));
        Assert.Equal(4, (await queue.GetResultAsync(old[0].Id, TimeSpan.FromSeconds(30)))!.GetValue<int>());
    }
}
