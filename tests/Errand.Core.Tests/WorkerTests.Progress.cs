using Errand.TestKit;

namespace Errand.Tests;

/// <summary>What handlers say of their progress, and what they keep for their next attempt.</summary>
public sealed partial class WorkerTests
{
    private sealed record Place(int Page, string? Note);

    [Fact]
    public async Task A_later_attempt_goes_on_from_the_checkpoint_of_the_one_before()
    {
        await using var worker = Worker(new TaskHandlers().Add<Add, int>(async (task, context) =>
        {
            var place = await context.GetCheckpointAsync<Place>() ?? new Place(0, null);
            await context.SaveCheckpointAsync(place with { Page = place.Page + task.Left, Note = "é 💥" });
            return context.Attempt < 3 ? throw new FormatException("again") : (await context.GetCheckpointAsync<Place>())!.Page;
        }));
        await worker.StartAsync();

        var handle = await _queue.EnqueueAsync(new Add(10, 0), new EnqueueOptions { Retry = Quick });

        Assert.Equal(30, await handle.WaitAsync(Bound));
    }

    [Fact]
    public async Task A_checkpoint_that_is_too_large_is_refused_with_its_size_and_the_limit()
    {
        await using var worker = Worker(new TaskHandlers().Add<Ping>(
            (_, context) => context.SaveCheckpointAsync(new string('x', 70_000))));
        await worker.StartAsync();

        var result = await ResultAsync(new Ping(), new EnqueueOptions { Retry = RetryPolicy.None });

        Assert.Contains("has 70,002 bytes of JSON; the limit is 65,536", result.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_last_word_on_progress_is_stored_before_the_task_ends()
    {
        await using var worker = Worker(new TaskHandlers().Add<Ping>((_, context) =>
        {
            for (var i = 0; i <= 1_000; i++)
            {
                context.ReportProgress(i / 1_000.0, $"step {i}");
            }
        }));
        await worker.StartAsync();

        var result = await ResultAsync(new Ping());

        var progress = (await _backend.FindAsync(result.Id))!.Progress!;
        Assert.Equal((1.0, "step 1000"), (progress.Fraction, progress.Message));
    }

    [Fact]
    public async Task Progress_is_seen_while_the_task_runs_and_stored_at_most_once_a_second()
    {
        var clock = new ManualTimeProvider();
        var reported = new SemaphoreSlim(0);
        var mayGoOn = new SemaphoreSlim(0);
        await using var worker = Worker(
            new TaskHandlers().Add<Ping>(async (_, context) =>
            {
                foreach (var step in (double[])[0.1, 0.2, 0.3])
                {
                    context.ReportProgress(step);
                    reported.Release();
                    await mayGoOn.WaitAsync(Bound);
                }
            }),
            new TaskWorkerOptions { TimeProvider = clock });
        await worker.StartAsync();
        var handle = await _queue.EnqueueAsync(new Ping());
        Assert.True(await reported.WaitAsync(Bound));
        await Eventually.TrueAsync(async () => await FractionAsync() == 0.1, "the first word is stored at once");

        mayGoOn.Release();
        Assert.True(await reported.WaitAsync(Bound));
        Assert.Equal(0.1, await FractionAsync());
        await Eventually.TrueAsync(
            async () =>
            {
                clock.Advance(TimeSpan.FromSeconds(1)); // Until the wait between two writes has begun, there is none to end.
                return await FractionAsync() == 0.2;
            },
            "the second is stored when its time has come");
        mayGoOn.Release(2);
        await handle.WaitAsync(Bound);
        Assert.Equal(0.3, await FractionAsync());

        async Task<double?> FractionAsync() => (await _backend.FindAsync(handle.Id))!.Progress?.Fraction;
    }

    [Theory]
    [InlineData(-0.01)]
    [InlineData(1.01)]
    [InlineData(double.NaN)]
    [InlineData(double.PositiveInfinity)]
    public async Task Progress_goes_from_0_to_1(double fraction)
    {
        await using var worker = Worker(new TaskHandlers().Add<Ping>((_, context) => context.ReportProgress(fraction)));
        await worker.StartAsync();

        var result = await ResultAsync(new Ping(), new EnqueueOptions { Retry = RetryPolicy.None });

        Assert.Contains("Progress goes from 0 to 1", result.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Words_on_progress_are_cut_and_stored_as_they_are()
    {
        var words = "'quotes' \u202E\0 " + new string('x', 1_000_000);
        await using var worker = Worker(new TaskHandlers().Add<Ping>((_, context) => context.ReportProgress(0.5, words)));
        await worker.StartAsync();

        var result = await ResultAsync(new Ping());

        var message = (await _backend.FindAsync(result.Id))!.Progress!.Message!;
        Assert.StartsWith("'quotes' \u202E\uFFFD xxx", message, StringComparison.Ordinal);
        Assert.Equal(1_024, message.Length);
    }
}
