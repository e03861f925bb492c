using Errand.PowerCut;

namespace Errand.Sqlite.Tests;

/// <summary>What the caller had been told when the power went.</summary>
/// <param name="Asked">The last step that was asked for.</param>
/// <param name="Acknowledged">The last step that was acknowledged.</param>
/// <param name="AcknowledgedBefore">The last step that had been acknowledged a second before.</param>
/// <param name="LastId">The highest id that was given out.</param>
internal sealed record CutPoint(int Asked, int Acknowledged, int AcknowledgedBefore, long LastId)
{
    /// <summary>The points between any two operations of the disk, and the disk as it is there.</summary>
    internal static IEnumerable<(CutPoint Point, Disk Disk)> Walk(IReadOnlyList<JournalRecord> journal)
    {
        var disk = new Disk();
        var now = 0L;
        var asked = 0;
        var lastId = 0L;
        List<(int Step, long Time)> acknowledged = [(0, long.MinValue)];
        foreach (var record in journal)
        {
            switch (record.Kind)
            {
                case RecordKind.Asked:
                    asked = (int)record.At;
                    break;
                case RecordKind.Acknowledged:
                    acknowledged.Add(((int)record.At, now));
                    break;
                case RecordKind.Clock:
                    now = record.At;
                    break;
                case RecordKind.Id:
                    lastId = Math.Max(lastId, record.At);
                    break;
                default:
                    yield return (Here(), disk);
                    disk.Do(record);
                    break;
            }
        }

        yield return (Here(), disk);

        CutPoint Here() => new(
            asked, acknowledged[^1].Step,
            acknowledged.Last(step => step.Time <= now - (long)Script.Bound.TotalMilliseconds).Step, lastId);
    }
}
