using Errand.Sqlite;

namespace Errand.Tests;

public sealed class NameTests
{
    [TaskName("")]
    private sealed record Nameless : ITask;

    [TaskName("has space")]
    private sealed record Spaced : ITask;

    private sealed record Import<T>(T Value) : ITask;

    private static class CreateOrder
    {
        internal sealed record Command(int Id) : ITask;
    }

    private static class CancelOrder
    {
        internal sealed record Command(int Id) : ITask;
    }

    [TaskName("mail")]
    private sealed record Letter(string To) : ITask;

    [TaskName("post", Aliases = ["mail"])]
    private sealed record Parcel(string Address) : ITask;

    [Fact]
    public async Task A_task_is_stored_under_its_type_s_own_name_in_kebab_case_or_the_given_one()
    {
        Assert.Equal("send-welcome-email", await NameOfAsync(new SendWelcomeEmail("ada@example.org")));
        Assert.Equal("ping", await NameOfAsync(new Ping()));
    }

    [Fact]
    public async Task A_nested_or_generic_type_has_a_name_that_tells_it_apart()
    {
        Assert.Equal("name-tests.create-order.command", await NameOfAsync(new CreateOrder.Command(1)));
        Assert.Equal("name-tests.cancel-order.command", await NameOfAsync(new CancelOrder.Command(1)));
        Assert.Equal("name-tests.import-of-int32", await NameOfAsync(new Import<int>(1)));
        Assert.Equal("name-tests.import-of-ping-array", await NameOfAsync(new Import<Ping[]>([])));
        Assert.Equal(
            "name-tests.import-of-dictionary-of-string-and-int32", await NameOfAsync(new Import<Dictionary<string, int>>([])));
    }

    [Fact]
    public async Task Types_with_one_name_are_refused_at_enqueue_and_at_registration()
    {
        await using var backend = new SqliteBackend(":memory:");
        await using var queue = new TaskQueue(backend);
        await queue.EnqueueAsync(new Letter("ada"));

        const string Both = "The task name 'mail' belongs to 'Errand.Tests.NameTests+Letter' already, and 'Errand.Tests.NameTests+Parcel' "
            + "has it as well: tasks of the one would be run as the other. Give one of them another name with [TaskName(\"...\")].";
        Assert.Equal(Both, (await Assert.ThrowsAsync<ArgumentException>(() => queue.EnqueueAsync(new Parcel("here")))).Message);
        Assert.Equal(
            Both,
            Assert.Throws<ArgumentException>(
                () => new TaskHandlers().Add<Letter>((_, _) => { }).Add<Parcel>((_, _) => { })).Message);
        Assert.Equal(
            Both, Assert.Throws<ArgumentException>(() => new TaskWorker(backend, new TaskHandlers().Add<Parcel>((_, _) => { }))).Message);
    }

    [Fact]
    public async Task A_payload_that_only_the_worker_knows_keeps_its_name_from_others()
    {
        await using var backend = new SqliteBackend(":memory:");
        await using var queue = new TaskQueue(backend);
        await using var worker = new TaskWorker(backend, new TaskHandlers().Add<Parcel>((_, _) => { }));
        await Assert.ThrowsAsync<ArgumentException>(() => queue.EnqueueAsync(new Letter("ada")));
    }

    [Fact]
    public async Task Names_of_their_own_can_be_asked_for()
    {
        await using var backend = new SqliteBackend(":memory:");
        await using var queue = new TaskQueue(backend, new TaskQueueOptions { RequireTaskName = true });
        await queue.EnqueueAsync(new Letter("ada"));

        const string Missing = "'Errand.Tests.NameTests+CreateOrder+Command' has no [TaskName], which the option RequireTaskName asks for. "
            + "Set it: [TaskName(\"name-tests.create-order.command\")].";
        Assert.Equal(Missing, (await Assert.ThrowsAsync<ArgumentException>(() => queue.EnqueueAsync(new CreateOrder.Command(1)))).Message);
        var handlers = new TaskHandlers().Add<CreateOrder.Command>((_, _) => { });
        Assert.Equal(
            Missing,
            Assert.Throws<ArgumentException>(
                () => new TaskWorker(backend, handlers, new TaskWorkerOptions { RequireTaskName = true })).Message);
    }

    private static async Task<string> NameOfAsync<TPayload>(TPayload task)
        where TPayload : ITask
    {
        await using var backend = new SqliteBackend(":memory:");
        await using var queue = new TaskQueue(backend);
        var handle = await queue.EnqueueAsync(task);
        await using var worker = new TaskWorker(backend, new TaskHandlers().Add<TPayload>((_, _) => { }));
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

        Assert.Equal(
            "The task name of 'Errand.Tests.NameTests+Nameless' is empty; allowed are 1 to 128 letters, digits and . _ - : /. "
            + "Set it with [TaskName(\"...\")].",
            empty.Message);
        Assert.Contains("holds the character U+0020", spaced.Message, StringComparison.Ordinal);
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
