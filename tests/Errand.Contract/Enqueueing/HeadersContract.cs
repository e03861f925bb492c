namespace Errand.Contract;

/// <summary>Headers travel with a task from its enqueue to its last attempt.</summary>
public abstract class HeadersContract<TStore> : StoreTest<TStore>
    where TStore : Store, new()
{
    private const string Stored = """{"traceparent":"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01","tenant":"seven","empty":""}""";

    private static readonly Dictionary<string, string> Shown = new(StringComparer.Ordinal) { ["tenant"] = "seven", ["empty"] = "" };

    [Fact]
    public async Task Every_attempt_has_them_as_they_were_given()
    {
        var backend = Live();
        var owner = await BeginAsync(backend);
        await AddAsync(backend, New());
        var first = await TakeOneAsync(backend, owner);
        Assert.Equal(Stored, first.Headers);
        await backend.SettleAsync(first.Lease, new Settlement.Retried { Error = "no", After = TimeSpan.Zero }, Token);
        var second = await TakeOneAsync(backend, owner);
        Assert.Equal(Stored, second.Headers);
        await backend.SettleAsync(second.Lease, new Settlement.Released(), Token);
        Assert.Equal(Stored, (await TakeOneAsync(backend, owner)).Headers);
    }

    [Fact]
    public async Task Each_task_of_a_call_has_its_own_or_none()
    {
        var backend = Live();
        var owner = await BeginAsync(backend);
        var named = await backend.NewIdAsync(Token);
        await backend.EnqueueAsync(
            [
                Task1(), Some("plain"), Some("unique") with { UniqueKey = "k" }, Some("period") with { UniqueKey = "p", UniqueFor = TimeSpan.FromHours(1) },
                Some("named") with { Id = named }, Some("timed") with { Timeout = TimeSpan.FromMinutes(1) }, Task1(),
            ],
            Token);
        var found = await TakeAsync(backend, owner);
        Assert.Equal(
            [null, null, Of("named"), Of("period"), Of("plain"), Of("timed"), Of("unique")],
            found.Select(task => task.Headers).Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task A_worker_that_waits_for_work_has_them()
    {
        var backend = Live();
        var owner = await BeginAsync(backend);
        var waiting = backend.ReserveAsync(From(owner, Defaults.Queue) with { Wait = TimeSpan.FromSeconds(30) }, Token).AsTask();
        await AddAsync(backend, New());
        Assert.Equal(Stored, Assert.Single(await waiting).Headers);
    }

    [Fact]
    public async Task They_are_found_with_the_task_without_the_trace_while_it_lives_and_when_it_has_failed()
    {
        var backend = Live();
        var owner = await BeginAsync(backend);
        var fails = await AddAsync(backend, New());
        Assert.Equal(Shown, (await FoundAsync(backend, fails)).Headers);
        await FailAsync(backend, (await TakeOneAsync(backend, owner)).Lease, "no");
        Assert.Equal(Shown, (await FoundAsync(backend, fails)).Headers);

        var succeeds = await AddAsync(backend, New());
        await backend.SettleAsync((await TakeOneAsync(backend, owner)).Lease, new Settlement.Succeeded(), Token);
        Assert.Empty((await FoundAsync(backend, succeeds)).Headers);
        Assert.Empty((await FoundAsync(backend, await AddAsync(backend))).Headers);
    }

    [Fact]
    public async Task A_failed_task_that_is_run_again_has_them_also_when_its_worker_was_lost()
    {
        var backend = Timed();
        var owner = await BeginAsync(backend, TimeSpan.FromSeconds(5));
        var failed = await AddAsync(backend, New());
        await FailAsync(backend, (await TakeOneAsync(backend, owner)).Lease, "no");
        var lost = await AddAsync(backend, New() with { Retry = RetryPolicy.None });
        await TakeOneAsync(backend, owner);
        await backend.EndWorkerAsync(owner, release: false, Token);
        await BeginAsync(backend);
        await PassAsync(backend, TimeSpan.FromSeconds(30));
        Assert.Equal(TaskState.Failed, (await FoundAsync(backend, lost)).State);

        Assert.True(await InspectorOf(backend).RetryAsync(failed, Token));
        Assert.True(await InspectorOf(backend).RetryAsync(lost, Token));
        owner = await BeginAsync(backend);
        Assert.Equal([Stored, Stored], (await TakeAsync(backend, owner)).Select(task => task.Headers));
    }

    private static NewTask New() => Task1() with { Headers = Stored };

    private static NewTask Some(string tenant) => Task1() with { Headers = Of(tenant) };

    private static string Of(string tenant) => $$"""{"tenant":"{{tenant}}"}""";
}
