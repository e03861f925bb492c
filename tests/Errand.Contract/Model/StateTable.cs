namespace Errand.Contract;

/// <summary>What every call does to a task in every state.</summary>
public static class StateTable
{
    /// <summary>
    /// What each call answers for a task in each state, and how the task stands after it: its state, attempts charged and epoch. A call
    /// under a lease is made with that of the task's last start. A dot stands for no change and the answer beside the call.
    /// </summary>
    private const string Text = """
        call             | else | Pending            | Scheduled          | Running             | Cancelling          | Succeeded | Failed         | Cancelled | Expired
        reserve          | 0    | 1: Running 1/1     | .                  | .                   | .                   | .         | .              | .         | .
        reserve in 10 s  | 0    | 1: Running 1/1     | 1: Running 1/1     | .                   | .                   | .         | .              | .         | .
        reserve, paused  | 0    | .                  | .                  | .                   | .                   | .         | .              | .         | .
        enqueue its id   | old  | .                  | .                  | .                   | .                   | .         | .              | .         | .
        enqueue its key  | old  | .                  | .                  | .                   | .                   | new: .    | new: .         | new: .    | new: .
        mark success     | no   | .                  | .                  | yes: Succeeded 1/1  | yes: Succeeded 1/1  | .         | .              | .         | .
        fail, try again  | no   | .                  | .                  | yes: Scheduled 1/1  | yes: Cancelled 1/1  | .         | .              | .         | .
        fail for good    | no   | .                  | .                  | yes: Failed 1/1     | yes: Failed 1/1     | .         | .              | .         | .
        snooze           | no   | .                  | .                  | yes: Scheduled 0/1  | yes: Cancelled 1/1  | .         | .              | .         | .
        release          | no   | .                  | .                  | yes: Pending 0/1    | yes: Cancelled 1/1  | .         | .              | .         | .
        mark cancelled   | no   | .                  | .                  | yes: Cancelled 1/1  | yes: Cancelled 1/1  | .         | .              | .         | .
        report progress  | no   | .                  | .                  | yes: .              | yes: .              | .         | .              | .         | .
        save checkpoint  | no   | .                  | .                  | yes: .              | yes: .              | .         | .              | .         | .
        hold             | no   | .                  | .                  | yes: .              | yes: .              | .         | .              | .         | .
        reconcile        | 0    | .                  | .                  | 1: Pending 0/1      | 1: Cancelled 1/1    | .         | .              | .         | .
        end the worker   | yes  | .                  | .                  | yes: Pending 0/1    | yes: Cancelled 1/1  | .         | .              | .         | .
        cancel           | AlreadyFinished | Cancelled: Cancelled 0/0 | Cancelled: Cancelled 0/0 | Requested: . | Requested: . | . | . | . | .
        retry            | no   | .                  | yes: Pending 0/0   | .                   | .                   | .         | yes: Pending 0/1 | .       | .
        retry all failed | 0    | .                  | .                  | .                   | .                   | .         | 1: Pending 0/1 | .         | .
        delete           | yes  | yes: gone          | yes: gone          | no: .               | no: .               | yes: gone | yes: gone      | yes: gone | yes: gone
        get result       | none | .                  | .                  | .                   | .                   | Succeeded: . | Failed: .   | Cancelled: . | Expired: .
        its expiry       | yes  | yes: Expired 0/0   | yes: Expired 0/0   | .                   | .                   | .         | .              | .         | .
        """;

    internal static readonly Dictionary<string, string> Beginnings = new(StringComparer.Ordinal)
    {
        ["Pending"] = "Pending 0/0", ["Scheduled"] = "Scheduled 0/0", ["Running"] = "Running 1/1", ["Cancelling"] = "Running 1/1",
        ["Succeeded"] = "Succeeded 1/1", ["Failed"] = "Failed 1/1", ["Cancelled"] = "Cancelled 0/0", ["Expired"] = "Expired 0/0",
    };

    public static TheoryData<string> Calls => [.. Rows.Skip(1).Select(row => row[0])];

    internal static string[][] Rows { get; } =
        [.. Text.Split('\n').Select(line => Array.ConvertAll(line.Split('|'), cell => cell.Trim()))];
}
