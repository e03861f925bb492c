using System.Collections.Concurrent;

namespace Errand.PostgreSql.Data;

/// <summary>
/// Names of queues and tasks and the small numbers that they are stored as. A number is given in a transaction of its
/// own, and forever. Filled by the writer, read by any thread.
/// </summary>
internal sealed class InternedNames
{
    private readonly ConcurrentDictionary<string, int> _ids = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<int, string> _texts = new();

    internal int IdOf(string text) => _ids[text];

    internal string TextOf(int id) => _texts[id];

    internal bool Has(string text) => _ids.ContainsKey(text);

    internal void Remember(int id, string text)
    {
        _ids[text] = id;
        _texts[id] = text;
    }
}
