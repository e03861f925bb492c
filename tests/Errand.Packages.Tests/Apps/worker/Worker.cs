using Errand;

namespace Fresh;

public class Worker(ITaskQueue queue, IHostApplicationLifetime lifetime) : BackgroundService
{
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        var greeting = await queue.EnqueueAsync(new Greet("Ada"), cancellationToken: stoppingToken);
        Console.WriteLine(await greeting.WaitAsync(TimeSpan.FromMinutes(1), stoppingToken));
        lifetime.StopApplication();
    }
}
