using System.Collections.Concurrent;
using Errand;
using Errand.PostgreSql;
using Errand.Sqlite;
using Errand.Storage;

namespace Checksums;

/// <summary>One run from the plan to the manifest. Whatever interrupts it, the same call goes on with it.</summary>
internal sealed class Run(Arguments arguments, TaskQueue queue, TaskWorker worker)
{
    private static readonly RetryPolicy Retry = new() { MaxAttempts = 3, Delay = TimeSpan.FromMilliseconds(200) };

    private readonly ConcurrentDictionary<TaskId, TaskResult> _results = new();

    /// <returns>The exit code: 1 when something could not be read.</returns>
    internal static async Task<int> ToEndAsync(Arguments arguments, CancellationToken cancellationToken)
    {
        await using IBackend backend = arguments.IsServer
            ? new PostgresBackend(arguments.Database)
            : new SqliteBackend(arguments.Database);
        await using var queue = new TaskQueue(backend);
        await using var worker = new TaskWorker(backend, new TaskHandlers().Add<Checksum, string>(Checksum.HashAsync));
        try
        {
            return await new Run(arguments, queue, worker).ToEndAsync(cancellationToken);
        }
        catch (OperationCanceledException)
        {
            await worker.StopAsync(cancellationToken); // It is cancelled: handlers give their tasks back at once.
            Console.WriteLine("Stopped. To go on, run it again on the same folder with");
            Console.WriteLine(Text.Printable($"  --db '{(arguments.IsServer ? "<the same>" : arguments.Database)}' --out '{arguments.Manifest}'"));
            throw;
        }
    }

    private async Task<int> ToEndAsync(CancellationToken cancellationToken)
    {
        Console.WriteLine($"Folder:   {Text.Printable(arguments.Root)}");
        Console.WriteLine($"Database: {Text.Printable(arguments.ShownDatabase)}");
        if (!arguments.IsServer && File.Exists(arguments.Plan) && !File.Exists(arguments.Database))
        {
            File.Delete(arguments.Plan); // Its database was taken away, and its ids mean nothing to another.
        }

        await queue.InitializeAsync(cancellationToken);
        var plan = Plan.Read(arguments.Plan) ?? await MakePlanAsync(cancellationToken);
        if (plan.Root != arguments.Root)
        {
            throw new IOException($"The database is in the middle of {plan.Root}: end that run, or give another --db.");
        }

        plan = await EnqueueAllAsync(plan, cancellationToken);
        await WaitForAllAsync(plan, cancellationToken);
        return Finish(plan);
    }

    private Task<Plan> MakePlanAsync(CancellationToken cancellationToken)
    {
        var files = FileList.Under(arguments.Root, arguments.IsOurs, cancellationToken);
        return new Plan(arguments.Root, files).SaveAsync(arguments.Plan, queue, cancellationToken);
    }

    private async Task<Plan> EnqueueAllAsync(Plan plan, CancellationToken cancellationToken)
    {
        Console.WriteLine($"Files:    {plan.Files.Count:N0}");
        var started = TimeProvider.System.GetUtcNow();
        await worker.StartAsync(cancellationToken); // It takes over from those that were killed.
        await ForEachAsync(
            plan.Files, file => FindOrEnqueueAsync(file, TimeSpan.Zero, cancellationToken), cancellationToken);
        var done = _results.Values.Count(result => result.FinishedAt < started);
        Console.WriteLine($"Done:     {done:N0} before this run");

        // To be killed costs a task an attempt; one that was killed three times has failed, and its file gets another.
        if (plan.Files.Any(HasFailed))
        {
            plan = plan with { Files = [.. plan.Files.Select(file => HasFailed(file) ? file with { Id = default } : file)] };
            plan = await plan.SaveAsync(arguments.Plan, queue, cancellationToken);
        }

        return plan;

        bool HasFailed(PlannedFile file) => _results.GetValueOrDefault(file.Id) is { State: not TaskState.Succeeded };
    }

    private Task WaitForAllAsync(Plan plan, CancellationToken cancellationToken)
    {
        var left = plan.Files.Where(file => !_results.ContainsKey(file.Id)).ToList();
        return ProgressView.ShowAsync(plan.Files.Count, plan.Files.Count - left.Count, noteOne => ForEachAsync(
            left,
            async file =>
            {
                await FindOrEnqueueAsync(file, Timeout.InfiniteTimeSpan, cancellationToken);
                noteOne();
            },
            cancellationToken));
    }

    /// <summary>Many at once, because what is enqueued and settled at the same time shares one commit.</summary>
    private static Task ForEachAsync(
        IReadOnlyList<PlannedFile> files, Func<PlannedFile, Task> action, CancellationToken cancellationToken) =>
        Parallel.ForEachAsync(
            files.Where(file => file.Problem is null),
            new ParallelOptions { MaxDegreeOfParallelism = 1_000, CancellationToken = cancellationToken },
            async (file, _) => await action(file));

    /// <summary>Enqueues a file's task, or finds it by its id, and notes its result if there is one in time.</summary>
    private async Task FindOrEnqueueAsync(PlannedFile file, TimeSpan wait, CancellationToken cancellationToken)
    {
        var task = new Checksum(Path.Join(arguments.Root, file.Path));
        var options = new EnqueueOptions { Id = file.Id, Retry = Retry };
        while (true)
        {
            await queue.EnqueueAsync(task, options, cancellationToken);
            try
            {
                if (await queue.GetResultAsync(file.Id, wait, cancellationToken) is { } result)
                {
                    _results[file.Id] = result;
                }

                return;
            }
            catch (TaskNotFoundException)
            {
                // Results are kept for a day, and this one was removed since the line before: it is made again.
            }
        }
    }

    private int Finish(Plan plan)
    {
        var digests = new List<(string Name, string Digest)>();
        foreach (var file in plan.Files)
        {
            var name = Path.Join(arguments.Folder, file.Path);
            if (file.Problem is not null)
            {
                Console.Error.WriteLine(Text.Printable($"{name}: {file.Problem}"));
            }
            else if (_results[file.Id] is { State: not TaskState.Succeeded } failed)
            {
                var reason = Text.ReasonOf(failed.Error ?? $"{failed.State}", file.Path);
                Console.Error.WriteLine(Text.Printable($"{name}: {reason} ({failed.Attempts} attempts)"));
            }
            else
            {
                digests.Add((name, _results[file.Id].GetValue<string>()!));
            }
        }

        Manifest.Write(arguments.Manifest, digests);
        File.Delete(arguments.Plan); // Only now: until here the next run would go on with it.
        Console.WriteLine($"Written:  {digests.Count:N0} digests to {Text.Printable(arguments.Manifest)}");
        return digests.Count == plan.Files.Count ? 0 : 1;
    }
}
