namespace Errand.Sqlite.Data;

/// <summary>Names of queues and tasks and the small numbers that they are stored as. Writer thread only.</summary>
internal sealed class InternedNames
{
    private readonly Dictionary<string, long> _ids = new(StringComparer.Ordinal);
    private readonly Dictionary<long, string> _texts = [];
    private long _largest; // Of the numbers that are known.

    // language=sqlite
    private const string FindIdSql = "select id from errand_names where text = @text";

    // language=sqlite
    private const string FindTextSql = "select text from errand_names where id = @id";

    // language=sqlite
    private const string InsertSql = "insert into errand_names (text) values (@text) returning id";

    /// <summary>The number of a name; it is given one inside the transaction that runs.</summary>
    internal long IdOf(SqliteDatabase database, string text)
    {
        if (!_ids.TryGetValue(text, out var id))
        {
            id = database.Statement(FindIdSql).With(text).Scalar()
                ?? database.Statement(InsertSql).With(text).Scalar().GetValueOrDefault();
            Remember(id, text);
        }

        return id;
    }

    /// <summary>The number of a name; null when it has none, and it is given none.</summary>
    internal long? Find(SqliteDatabase database, string text)
    {
        if (_ids.TryGetValue(text, out var known))
        {
            return known;
        }

        var id = database.Statement(FindIdSql).With(text).Scalar();
        if (id is { } found)
        {
            Remember(found, text);
        }

        return id;
    }

    internal string TextOf(SqliteDatabase database, long id)
    {
        if (!_texts.TryGetValue(id, out var text))
        {
            var statement = database.Statement(FindTextSql).With(id);
            text = statement.Step() ? statement.Text(0) : throw new BackendException($"The database lacks the name {id}.");
            statement.Reset();
            Remember(id, text);
        }

        return text;
    }

    /// <summary>
    /// Somebody else has written: whether names that are known here are not in the database any more, or have other
    /// numbers, as when all tables are emptied for a test.
    /// </summary>
    internal bool HaveGone(SqliteDatabase database) =>
        _texts.TryGetValue(_largest, out var text) && database.Statement(FindIdSql).With(text).Scalar() != _largest;

    /// <summary>After a rollback: names that were given a number in it have none.</summary>
    internal void Forget()
    {
        _ids.Clear();
        _texts.Clear();
        _largest = 0;
    }

    private void Remember(long id, string text)
    {
        _ids[text] = id;
        _texts[id] = text;
        _largest = Math.Max(_largest, id);
    }
}
