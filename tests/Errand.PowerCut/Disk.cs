namespace Errand.PowerCut;

/// <summary>What of the operations that were not synced has reached the disk when the power goes.</summary>
internal enum Survivors
{
    /// <summary>Nothing.</summary>
    None,

    /// <summary>Any of them, in any order.</summary>
    Some,

    /// <summary>The same, and of the last write some sectors at most.</summary>
    Torn,

    /// <summary>Everything, as when only the process dies.</summary>
    All,
}

/// <summary>
/// A disk between two operations: what is certain to be on it, and what may be. A sync of a file makes certain what was done to
/// that file alone; which names there are is made certain by a sync of their folder.
/// </summary>
internal sealed class Disk
{
    private const int Sector = 512;

    private readonly Dictionary<int, Content> _files = [];
    private readonly Dictionary<string, int> _names = new(StringComparer.Ordinal); // For certain.
    private readonly List<JournalRecord> _namings = []; // Creations and deletions that may be lost.
    private JournalRecord? _lastWrite;

    /// <summary>Does what the journal says next.</summary>
    internal void Do(JournalRecord record)
    {
        switch (record.Kind)
        {
            case RecordKind.Create:
                _files.Add(record.File, new Content(record.Name));
                _namings.Add(record);
                break;
            case RecordKind.Delete:
                _namings.Add(record);
                break;
            case RecordKind.SyncFolder:
                Name(_names, _namings);
                _namings.Clear();
                break;
            case RecordKind.Write or RecordKind.Truncate:
                _files[record.File].Unsynced.Add(record);
                _lastWrite = record.Kind == RecordKind.Write ? record : _lastWrite;
                break;
            case RecordKind.Sync:
                _files[record.File].Sync();
                break;
            case RecordKind.FailedSync:
                // The worst that is known of systems: what could not be written counts as clean, and is never tried again.
                _files[record.File].Unsynced.Clear();
                break;
            default:
                break;
        }
    }

    /// <summary>The files, by name, as they are found when the power is back.</summary>
    internal Dictionary<string, byte[]> Cut(Survivors survivors, int seed)
    {
        var random = new Random(seed);
        var likely = random.Next(1, 10) / 10.0;
        var names = new Dictionary<string, int>(_names, StringComparer.Ordinal);
        Name(names, _namings.Take(survivors switch
        {
            Survivors.None => 0,
            Survivors.All => _namings.Count,
            _ => random.Next(_namings.Count + 1), // File systems keep their order.
        }));
        return names.ToDictionary(name => name.Key, name => _files[name.Value].With(Survives), StringComparer.Ordinal);

        IEnumerable<(long At, ReadOnlyMemory<byte> Bytes)> Survives(JournalRecord write)
        {
            var whole = (write.At, (ReadOnlyMemory<byte>)write.Bytes);
            return survivors switch
            {
                Survivors.None => [],
                Survivors.All => [whole],
                Survivors.Torn when write == _lastWrite => Sectors(write).Where(_ => random.Next(2) == 0),
                _ => random.NextDouble() < likely ? [whole] : [],
            };
        }
    }

    private void Name(Dictionary<string, int> names, IEnumerable<JournalRecord> namings)
    {
        foreach (var naming in namings)
        {
            var name = _files[naming.File].Name;
            if (naming.Kind == RecordKind.Create)
            {
                names[name] = naming.File;
            }
            else
            {
                names.Remove(name);
            }
        }
    }

    private static IEnumerable<(long At, ReadOnlyMemory<byte> Bytes)> Sectors(JournalRecord write)
    {
        for (var at = 0; at < write.Bytes.Length;)
        {
            var end = (int)Math.Min(write.Bytes.Length, (((write.At + at) / Sector) + 1) * Sector - write.At);
            yield return (write.At + at, write.Bytes.AsMemory(at, end - at));
            at = end;
        }
    }

    private sealed class Content(string name)
    {
        private byte[] _synced = [];

        internal string Name => name;

        internal List<JournalRecord> Unsynced { get; } = [];

        internal void Sync()
        {
            _synced = With(write => [(write.At, write.Bytes)]);
            Unsynced.Clear();
        }

        internal byte[] With(Func<JournalRecord, IEnumerable<(long At, ReadOnlyMemory<byte> Bytes)>> survivors)
        {
            using var content = new MemoryStream();
            content.Write(_synced);
            foreach (var record in Unsynced)
            {
                // A truncate is a write of no bytes that may as well be lost.
                foreach (var (at, bytes) in survivors(record))
                {
                    if (record.Kind == RecordKind.Truncate)
                    {
                        content.SetLength(at);
                        continue;
                    }

                    content.Position = at;
                    content.Write(bytes.Span);
                }
            }

            return content.ToArray();
        }
    }
}
