using System.Diagnostics;
using Errand.Sqlite.Engine;

namespace Errand.Torture;

/// <summary>Where a process kills itself.</summary>
internal enum CrashPoint
{
    AfterReserve,
    BeforeSettle,
    AfterSettle,
    Commit,
    Checkpoint,
    Migration,
}

/// <summary>Kills its own process, as <c>kill -9</c> does, some time when it comes to the point that the supervisor has named.</summary>
internal sealed class Crash(CrashPoint? chosen, History history, Random random)
{
    private readonly Lock _lock = new(); // Random is not thread-safe, and one dies once.

    internal void At(EnginePoint point) => At(Enum.Parse<CrashPoint>(point.ToString()));

    internal void At(CrashPoint point)
    {
        if (point != chosen)
        {
            return;
        }

        lock (_lock)
        {
            // Checkpoints are rare, and a migration comes once; the others come with every task.
            if (random.Next(point is CrashPoint.Migration ? 1 : point is CrashPoint.Checkpoint ? 3 : 20) > 0)
            {
                return;
            }

            history.Note(EventKind.Killed); // Noted first: others may take over at the very moment of death.
            if (random.Next(4) > 0)
            {
                // Just before what comes next, and late enough for who has been told too early to write it down.
                Die(TimeSpan.FromMilliseconds(random.Next(40)));
            }

            var amid = TimeSpan.FromMilliseconds(random.NextDouble() * 3);
            new Thread(() => Die(amid)).Start();
        }
    }

    private static void Die(TimeSpan delay)
    {
        Thread.Sleep(delay);
        Process.GetCurrentProcess().Kill();
        Thread.Sleep(Timeout.Infinite);
    }
}
