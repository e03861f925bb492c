using Spectre.Console;
using Spectre.Console.Rendering;

namespace Checksums;

/// <summary>Shows how far the run is: a bar on a terminal, a line now and then elsewhere.</summary>
internal static class ProgressView
{
    /// <summary>Runs <paramref name="work"/>, which calls what it is given whenever a file is done.</summary>
    internal static Task ShowAsync(int total, int done, Func<Action, Task> work) =>
        Console.IsOutputRedirected || !AnsiConsole.Profile.Capabilities.Ansi
            ? CountAsync(done, work, TimeSpan.FromSeconds(2), LinesFor(total, done))
            : AnsiConsole.Progress()
                .Columns(
                    new TaskDescriptionColumn(), new ProgressBarColumn(), new PercentageColumn(), new RateColumn(),
                    new RemainingTimeColumn())
                .StartAsync(progress =>
                {
                    var bar = progress.AddTask("Hashing", autoStart: false, maxValue: total);
                    bar.Value = done; // Before the start: what an earlier run did says nothing about the rate.
                    bar.StartTask();
                    return CountAsync(done, work, TimeSpan.FromMilliseconds(100), count => bar.Value = count);
                });

    private static async Task CountAsync(int done, Func<Action, Task> work, TimeSpan interval, Action<int> show)
    {
        await using (new Timer(_ => show(Volatile.Read(ref done)), null, interval, interval))
        {
            await work(() => Interlocked.Increment(ref done));
        }

        show(done);
    }

    private static Action<int> LinesFor(int total, int doneBefore)
    {
        var started = TimeProvider.System.GetTimestamp();
        return done =>
        {
            var rate = (done - doneBefore) / TimeProvider.System.GetElapsedTime(started).TotalSeconds;
            var left = rate > 0 ? $", {TimeSpan.FromSeconds((long)((total - done) / rate))} left" : "";
            Console.WriteLine($"{done:N0} of {total:N0} files, {rate:N0} files/s{left}");
        };
    }

    private sealed class RateColumn : ProgressColumn
    {
        public override IRenderable Render(RenderOptions options, ProgressTask task, TimeSpan deltaTime) =>
            new Markup($"{task.Speed ?? 0:N0} files/s");
    }
}
