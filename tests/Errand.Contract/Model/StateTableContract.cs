namespace Errand.Contract;

/// <summary>Every call on a task in every state, compared with <see cref="StateTable"/>.</summary>
public abstract class StateTableContract<TStore> : StoreTest<TStore>
    where TStore : Store, new()
{
    [Theory]
    [MemberData(nameof(StateTable.Calls), MemberType = typeof(StateTable))]
    public async Task A_call_does_in_each_state_what_the_table_says(string call)
    {
        var backend = Timed();
        var row = StateTable.Rows.Single(row => row[0] == call);
        for (var column = 2; column < row.Length; column++)
        {
            var state = StateTable.Rows[0][column];
            string[] expected = row[column] == "." ? [row[1], "."] : row[column].Split(": ");

            // Of a queue, a worker and a key of its own: what another state left behind is nothing to it.
            var owner = await BeginAsync(backend, TimeSpan.FromDays(1));
            var id = await BringToAsync(backend, owner, state);
            Assert.Equal((state, StateTable.Beginnings[state]), (state, await StandAsync(backend, id)));
            var lease = new TaskLease { Id = id, Owner = owner, Epoch = (await FoundAsync(backend, id)).Epoch };

            var answer = await CallAsync(backend, call, state, lease);

            Assert.Equal(
                (state, expected[0], expected[1] == "." ? StateTable.Beginnings[state] : expected[1]), (state, answer, await StandAsync(backend, id)));
        }
    }

    private async Task<TaskId> BringToAsync(IBackend backend, WorkerId owner, string state)
    {
        var task = OfState(state) with { ExpiresAt = Clock.GetUtcNow() + TimeSpan.FromHours(1) };
        var id = await AddAsync(backend, state == "Scheduled" ? task with { Delay = TimeSpan.FromSeconds(10) } : task);
        if (state is "Running" or "Cancelling" or "Succeeded" or "Failed")
        {
            var lease = Assert.Single(await TakeAsync(backend, owner, 1, state)).Lease;
            await (state switch
            {
                "Cancelling" => backend.CancelAsync(id, Token).AsTask(),
                "Succeeded" => backend.MarkSuccessAsync(lease, Json("1"), Token).AsTask(),
                "Failed" => FailAsync(backend, lease, "no"),
                _ => Task.CompletedTask,
            });
        }
        else if (state == "Cancelled")
        {
            await backend.CancelAsync(id, Token);
        }
        else if (state == "Expired")
        {
            await PassExpiryAsync(backend);
        }

        return id;
    }

    private static NewTask OfState(string state) => Task1(queue: state) with { UniqueKey = state };

    /// <summary>Two turns: one that sees that the time has come, and whatever the store leaves to the next.</summary>
    private async Task PassExpiryAsync(IBackend backend)
    {
        Clock.Advance(TimeSpan.FromHours(1));
        await backend.InitializeAsync(Token);
        await backend.InitializeAsync(Token);
    }

    private static async Task<string> StandAsync(IBackend backend, TaskId id) =>
        await InspectorOf(backend).FindAsync(id, Token) is { } task ? $"{task.State} {task.Attempt}/{task.Epoch}" : "gone";

    private async Task<string> CallAsync(IBackend backend, string call, string queue, TaskLease lease)
    {
        var inspector = InspectorOf(backend);
        switch (call)
        {
            case "reserve":
                return $"{(await TakeAsync(backend, lease.Owner, 100, queue)).Count}";
            case "reserve in 10 s":
                Clock.Advance(TimeSpan.FromSeconds(10));
                return $"{(await TakeAsync(backend, lease.Owner, 100, queue)).Count}";
            case "reserve, paused":
                await inspector.PauseAsync(queue, Token);
                return $"{(await TakeAsync(backend, lease.Owner, 100, queue)).Count}";
            case "enqueue its id":
                return Assert.Single(await backend.EnqueueAsync([Task1() with { Id = lease.Id }], Token)).IsNew ? "new" : "old";
            case "enqueue its key":
                return Assert.Single(await backend.EnqueueAsync([OfState(queue)], Token)).IsNew ? "new" : "old";
            case "mark success":
                return YesOrNo(await backend.MarkSuccessAsync(lease, Json("2"), Token));
            case "fail, try again":
                return YesOrNo(await backend.MarkFailureAsync(lease, "no", TimeSpan.FromSeconds(10), Token));
            case "fail for good":
                return YesOrNo(await backend.MarkFailureAsync(lease, "no", null, Token));
            case "snooze":
                return YesOrNo(await backend.SnoozeAsync(lease, TimeSpan.FromSeconds(10), Token));
            case "release":
                return YesOrNo(await backend.ReleaseAsync(lease, Token));
            case "mark cancelled":
                return YesOrNo(await backend.MarkCancelledAsync(lease, null, Token));
            case "report progress":
                return YesOrNo(await backend.ReportProgressAsync(lease, 0.5, null, Token));
            case "save checkpoint":
                return YesOrNo(await backend.SaveCheckpointAsync(lease, Json("3"), Token));
            case "hold":
                return YesOrNo(await backend.HoldsAsync(lease, Token));
            case "reconcile":
                return $"{await backend.ReconcileAsync(lease.Owner, new HashSet<TaskId>(), Token)}";
            case "end the worker":
                await backend.EndWorkerAsync(lease.Owner, release: true, Token);
                return "yes";
            case "cancel":
                return $"{await backend.CancelAsync(lease.Id, Token)}";
            case "retry":
                return YesOrNo(await inspector.RetryAsync(lease.Id, Token));
            case "retry all failed":
                return $"{await inspector.RetryAsync(new TaskFilter { Queue = queue }, Token)}";
            case "delete":
                return YesOrNo(await inspector.DeleteAsync(lease.Id, Token));
            case "get result":
                return (await backend.GetResultAsync(lease.Id, TimeSpan.Zero, Token))?.State.ToString() ?? "none";
            default:
                Assert.Equal("its expiry", call);
                await PassExpiryAsync(backend);
                return "yes";
        }
    }

    private static string YesOrNo(bool answer) => answer ? "yes" : "no";
}
