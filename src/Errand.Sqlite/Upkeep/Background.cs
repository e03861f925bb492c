namespace Errand.Sqlite.Upkeep;

/// <summary>Work that may take minutes, on a thread of its own.</summary>
internal static class Background
{
    internal static Task RunAsync(Action work, CancellationToken cancellationToken) =>
        Task.Factory.StartNew(work, cancellationToken, TaskCreationOptions.LongRunning, TaskScheduler.Default);
}
