using Errand.Storage;

namespace Errand.Engine;

/// <summary>Checks of arguments that both stores make before a caller's request enters their inbox.</summary>
internal static class Arguments
{
    /// <exception cref="ArgumentException">There is none, or one is null.</exception>
    internal static void Check(IReadOnlyList<NewTask> tasks)
    {
        ArgumentNullException.ThrowIfNull(tasks);
        ArgumentOutOfRangeException.ThrowIfZero(tasks.Count, nameof(tasks));
    }

    internal static void Check(ReserveRequest request)
    {
        ArgumentNullException.ThrowIfNull(request);
        ArgumentOutOfRangeException.ThrowIfLessThan(request.MaxTasks, 1, nameof(request));
    }

    internal static ArgumentException NeverGiven(long id) =>
        new($"The id {id} was never given out. Ids come from NewIdAsync; a key of your own belongs in the payload.");
}
