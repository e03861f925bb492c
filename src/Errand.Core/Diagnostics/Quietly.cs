namespace Errand.Diagnostics;

/// <summary>Calls the user's loggers, listeners and clock. What they throw is dropped: there is nowhere to report that reporting failed.</summary>
internal static class Quietly
{
    internal static void Run(Action report)
    {
        try
        {
            report();
        }
        catch (Exception)
        {
            // As the class says: an attempt, a worker or a writer must not end because of it.
        }
    }

    internal static void Run<T>(T state, Action<T> report)
    {
        try
        {
            report(state);
        }
        catch (Exception)
        {
            // As above.
        }
    }
}
