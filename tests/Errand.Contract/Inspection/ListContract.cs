namespace Errand.Contract;

/// <summary>The list of tasks: pages and filters.</summary>
public abstract class ListContract<TStore> : StoreTest<TStore>
    where TStore : Store, new()
{
    [Fact]
    public async Task Pages_hold_each_of_500_tasks_once_and_newest_first_by_every_filter_while_others_are_enqueued()
    {
        var backend = Timed();
        var tasks = await AddInAllStatesAsync(backend);
        var last = tasks.Max(task => task.Id);
        TaskFilter?[] filters =
        [
            null, new(), new() { Queue = "mail" }, new() { Name = "b" }, new() { Queue = Defaults.Queue, Name = "c" },
            .. Enum.GetValues<TaskState>().Select(state => new TaskFilter { States = [state] }),
            new() { States = [TaskState.Failed, TaskState.Pending, TaskState.Failed] },
            new() { States = [TaskState.Succeeded, TaskState.Expired], Queue = "mail" },
            new() { ErrorContains = "broken" }, new() { ErrorContains = "at 3", Queue = "mail", Name = "a" },
            new() { ErrorContains = "broken", States = [TaskState.Succeeded] },
            new() { ErrorContains = "broken", States = [TaskState.Running] },
        ];
        foreach (var filter in filters)
        {
            var listed = await ListAllAsync(backend, filter, 7, () => AddAsync(backend, Task1("b", "mail")));

            Assert.Equal(listed.Select(task => task.Id).OrderDescending(), listed.Select(task => task.Id));
            var expected = tasks.Where(task =>
                (filter?.Queue ?? task.Queue) == task.Queue && (filter?.Name ?? task.Name) == task.Name
                && (filter is null || filter.States.Count == 0 || filter.States.Contains(task.State))
                && (filter?.ErrorContains is null || task.Error?.Contains(filter.ErrorContains, StringComparison.Ordinal) == true));
            Assert.Equal(
                expected.OrderByDescending(task => task.Id).Select(task => (task.Id, task.Queue, task.Name, task.State)),
                listed.Where(task => task.Id <= last).Select(task => (task.Id, task.Queue, task.Name, task.State)));
        }
    }

    [Fact]
    public async Task A_task_that_ends_between_two_pages_is_neither_missing_nor_told_twice()
    {
        var backend = Live();
        var owner = await BeginAsync(backend);
        var ids = await AddManyAsync(backend, 30);

        var listed = await ListAllAsync(backend, null, 4, async () =>
        {
            foreach (var task in await TakeAsync(backend, owner, 3))
            {
                await backend.MarkSuccessAsync(task.Lease, default, Token);
            }
        });

        Assert.Equal(ids.OrderDescending(), listed.Select(task => task.Id));
    }

    [Fact]
    public async Task The_last_page_has_no_next_and_the_others_go_on_after_their_last_task()
    {
        var backend = Live();
        var ids = await AddManyAsync(backend, 10);
        var inspector = InspectorOf(backend);

        var first = await inspector.ListAsync(limit: 5, cancellationToken: Token);
        var second = await inspector.ListAsync(limit: 5, before: first.Next, cancellationToken: Token);

        Assert.Equal(ids[5..].Reverse(), first.Tasks.Select(task => task.Id));
        Assert.Equal(ids[5], first.Next);
        Assert.Equal(ids[..5].Reverse(), second.Tasks.Select(task => task.Id));
        Assert.Null(second.Next);
    }

    [Fact]
    public async Task A_list_of_an_empty_store_is_one_empty_page()
    {
        var page = await InspectorOf(Live()).ListAsync(cancellationToken: Token);
        Assert.Equal((0, null), (page.Tasks.Count, page.Next));
    }

    [Fact]
    public async Task A_list_shows_where_each_task_stands_and_when_it_got_there()
    {
        var backend = Timed();
        var owner = await BeginAsync(backend);
        var enqueued = Clock.GetUtcNow();
        var ended = await AddAsync(backend, Task1() with { Priority = 3 });
        var running = await AddAsync(backend, Task1("b") with { Priority = 2 });
        var waiting = await AddAsync(backend, Task1("c") with { Delay = TimeSpan.FromMinutes(1), Priority = -1 });
        var cancelled = await AddAsync(backend, Task1());
        await InspectorOf(backend).CancelAsync(cancelled, Token);
        Clock.Advance(TimeSpan.FromSeconds(1));
        var lease = (await TakeAsync(backend, owner, 2))[0].Lease;
        Clock.Advance(TimeSpan.FromSeconds(1));
        await backend.MarkSuccessAsync(lease, Json("\"result\""), Token);

        var listed = (await ListAllAsync(backend)).ToDictionary(task => task.Id);

        var started = enqueued + TimeSpan.FromSeconds(1);
        Assert.Equal(Expected(ended, "a", TaskState.Succeeded, 3, 1, started, started + TimeSpan.FromSeconds(1)), listed[ended]);
        Assert.Equal(Expected(running, "b", TaskState.Running, 2, 1, started, null), listed[running]);
        Assert.Equal(
            Expected(waiting, "c", TaskState.Scheduled, -1, 0, null, null) with { DueAt = enqueued + TimeSpan.FromMinutes(1) },
            listed[waiting]);
        Assert.Equal(Expected(cancelled, "a", TaskState.Cancelled, 0, 0, null, enqueued), listed[cancelled]);

        TaskSummary Expected(
            TaskId id, string name, TaskState state, int priority, int attempt, DateTimeOffset? startedAt, DateTimeOffset? finishedAt) => new()
        {
            Id = id, Name = name, Queue = Defaults.Queue, State = state, Priority = priority, Attempt = attempt,
            EnqueuedAt = enqueued, DueAt = enqueued, StartedAt = startedAt, FinishedAt = finishedAt,
        };
    }

    [Fact]
    public async Task A_list_loads_neither_payloads_nor_results_nor_errors()
    {
        var backend = Live();
        await AddManyAsync(backend, 3);
        Assert.All(await ListAllAsync(backend), task => Assert.IsType<TaskSummary>(task, exactMatch: true));
        string[] heavy = [nameof(TaskDetails.Payload), nameof(TaskDetails.Result), nameof(TaskDetails.Error)];
        Assert.DoesNotContain(typeof(TaskSummary).GetProperties(), property => heavy.Contains(property.Name));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(-1)]
    [InlineData(1_001)]
    public async Task A_page_of_no_tasks_or_of_more_than_a_thousand_is_refused(int limit)
    {
        var refused = await Assert.ThrowsAsync<ArgumentOutOfRangeException>(
            () => InspectorOf(Live()).ListAsync(limit: limit, cancellationToken: Token).AsTask());
        Assert.Contains("1 to 1,000", refused.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("'; drop table tasks; --")]
    [InlineData("\"quoted\"")]
    [InlineData("100%")]
    [InlineData("a_b")]
    [InlineData("back\\slash")]
    [InlineData("right-to-left \u200F\u202E mark")]
    [InlineData("combining e\u0301")]
    [InlineData("💥")]
    [InlineData("[a-z]*?")]
    [InlineData("$1 {0} @error :error")]
    [InlineData("two\r\nlines")]
    [InlineData(" ")]
    public async Task No_character_of_a_text_that_is_looked_for_has_a_meaning_of_its_own(string text)
    {
        var backend = Live();
        var owner = await BeginAsync(backend);
        var ids = await AddManyAsync(backend, 3);
        string[] errors = [$"before{text}after", "an-ordinary-error-100-and-aXb", $"BEFORE{text}"];
        foreach (var (task, error) in (await TakeAsync(backend, owner)).Zip(errors))
        {
            await backend.MarkFailureAsync(task.Lease, error, null, Token);
        }

        Assert.Equal([ids[2], ids[0]], await FoundAsync(text));
        Assert.Equal([ids[0]], await FoundAsync($"before{text}"));
        Assert.Equal([ids[2]], await FoundAsync($"BEFORE{text}"));

        async Task<TaskId[]> FoundAsync(string error) =>
            [.. (await ListAllAsync(backend, new TaskFilter { ErrorContains = error })).Select(task => task.Id)];
    }

    [Fact]
    public async Task A_text_of_1024_characters_is_looked_for_and_a_longer_one_is_refused()
    {
        var backend = Live();
        var owner = await BeginAsync(backend);
        var id = await AddAsync(backend);
        var text = new string('é', 1_024);
        await backend.MarkFailureAsync((await TakeOneAsync(backend, owner)).Lease, $"x{text}x", null, Token);

        Assert.Equal(id, Assert.Single(await ListAllAsync(backend, new TaskFilter { ErrorContains = text })).Id);
        var refused = await Assert.ThrowsAnyAsync<ArgumentException>(
            () => ListAllAsync(backend, new TaskFilter { ErrorContains = text + "é" }));
        Assert.Contains("ErrorContains has 1,025 characters; allowed are 1 to 1,024", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_filter_that_cannot_be_is_refused_with_all_that_is_wrong()
    {
        var backend = Live();
        var filter = new TaskFilter
        {
            Queue = "no'queue", Name = new string('n', 129), States = [(TaskState)99], ErrorContains = "NUL \0",
        };

        foreach (var call in (Func<Task>[])
            [() => ListAllAsync(backend, filter), () => InspectorOf(backend).RetryAsync(filter, Token).AsTask()])
        {
            var refused = await Assert.ThrowsAnyAsync<ArgumentException>(call);
            Assert.Contains("Queue holds the character U+0027", refused.Message, StringComparison.Ordinal);
            Assert.Contains("Name has 129 characters", refused.Message, StringComparison.Ordinal);
            Assert.Contains("States is 99", refused.Message, StringComparison.Ordinal);
            Assert.Contains("ErrorContains holds the character U+0000", refused.Message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task A_queue_or_name_that_no_task_has_lists_nothing()
    {
        var backend = Live();
        await AddManyAsync(backend, 3);

        Assert.Empty(await ListAllAsync(backend, new TaskFilter { Queue = "nobody" }));
        Assert.Empty(await ListAllAsync(backend, new TaskFilter { Name = "nobody" }));
        Assert.Empty(await ListAllAsync(backend, new TaskFilter { Name = "nobody", Queue = Defaults.Queue }));
        var id = await AddAsync(backend, Task1("nobody", "nobody"));
        Assert.Equal(id, Assert.Single(await ListAllAsync(backend, new TaskFilter { Queue = "nobody", Name = "nobody" })).Id);
    }

    [Fact]
    public async Task A_name_that_holds_the_beginning_of_another_is_not_taken_for_it()
    {
        var backend = Live();
        await AddAsync(backend, Task1("mail", "mail"));
        var id = await AddAsync(backend, Task1("mail-2", "mail-2"));
        Assert.Equal(id, Assert.Single(await ListAllAsync(backend, new TaskFilter { Queue = "mail-2" })).Id);
        Assert.Equal(id, Assert.Single(await ListAllAsync(backend, new TaskFilter { Name = "mail-2" })).Id);
        Assert.Empty(await ListAllAsync(backend, new TaskFilter { Queue = "Mail" }));
    }
}
