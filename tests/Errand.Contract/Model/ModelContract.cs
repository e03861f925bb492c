using Errand.TestKit;
using FsCheck.Fluent;

namespace Errand.Contract;

/// <summary>Random sequences of calls, compared with a model of a store.</summary>
public abstract class ModelContract<TStore> : StoreTest<TStore>
    where TStore : Store, new()
{
    private const int ManySequences = 300;

    [Fact]
    public Task Whatever_is_asked_of_a_store_in_whatever_order_it_answers_and_holds_what_the_model_says() => Task.Run(() =>
    {
        var backend = Timed();
        var sequences = 0;
        HashSet<string> met = [];
        Always.Holds(
            Gen.Choose(1, 80).SelectMany(length => StoreStep.Any.ArrayOf(length)),
            steps => new StoreRun(backend, Clock, sequences++, met, Token).TakeAsync(steps).GetAwaiter().GetResult(),
            count: Store.Sequences ?? ManySequences,
            shrink: Shorter);

        // Sequences that never come far would hold anything.
        string[] leases = ["held", "to be cancelled", "lost"];
        string[] states = ["Pending", "Running", "Succeeded", "Failed", "Cancelled", "Expired", "Deleted"];
        string[] cases =
        [
            "Enqueue new", "Enqueue key of a live task", "Enqueue key for a time", "RetryFailed all", "EnqueueToWaiting handed over",
            "EnqueueToWaiting waits",
            .. from step in (string[])["Succeed", "Fail", "Snooze", "Release", "MarkCancelled", "Report", "SaveCheckpoint", "Hold"]
               from lease in leases
               select $"{step} {lease}",
            .. from step in (string[])["Cancel", "Retry", "Delete"] from state in states select $"{step} {state}",
        ];
        Assert.Empty(Store.Sequences is null ? cases.Except(met) : []);
    });

    /// <summary>The same sequence without a part of it: halves first, single steps last.</summary>
    private static IEnumerable<T[]> Shorter<T>(T[] steps)
    {
        for (var size = steps.Length / 2; size > 0; size /= 2)
        {
            for (var start = 0; start + size <= steps.Length; start += size)
            {
                yield return [.. steps[..start], .. steps[(start + size)..]];
            }
        }
    }
}
