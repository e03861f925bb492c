using System.Collections.Concurrent;

namespace Errand.PostgreSql.Data;

/// <summary>
/// Names of queues and tasks and the small numbers that they are stored as. A number is given in a transaction of its
/// own, and forever. Filled by the writer, read by any thread.
/// </summary>
internal sealed class InternedNames
{
    private readonly ConcurrentDictionary<string, (int Id, int Reading)> _ids = new(StringComparer.Ordinal);
    private int _reading; // Rises when the table was emptied: what was read before is to be read again.
    private readonly ConcurrentDictionary<int, string> _texts = new();

    internal int IdOf(string text) => _ids[text].Id;

    internal string TextOf(int id) => _texts[id];

    /// <summary>The name with the largest number that has been read; null for none.</summary>
    internal (int Id, string Text)? Last { get; private set; }

    internal bool Has(string text) => _ids.TryGetValue(text, out var known) && known.Reading == _reading;

    /// <summary>
    /// The table was emptied: each name is given a number again before its next use. A caller's transaction that has been
    /// given a number keeps it.
    /// </summary>
    internal void ReadAgain()
    {
        _reading++;
        Last = null;
    }

    internal void Remember(int id, string text)
    {
        _ids[text] = (id, _reading);
        Last = Last is { } last && last.Id > id ? last : (id, text);
        _texts[id] = text;
    }
}
