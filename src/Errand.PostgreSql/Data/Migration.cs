namespace Errand.PostgreSql.Data;

/// <summary>One step of the schema, which takes it from the version below to its own.</summary>
/// <param name="Sql">Its statements, with the schema named <c>errand</c>.</param>
/// <param name="Reader">The lowest engine version that may still read the schema after it.</param>
/// <param name="Writer">The lowest engine version that may still write to the schema after it.</param>
internal sealed record Migration(string Sql, int Reader, int Writer)
{
    /// <summary>The steps that this engine knows: its own version is their number.</summary>
    internal static IReadOnlyList<Migration> All { get; } = [new(Read("0001_errand.sql"), Reader: 1, Writer: 1)];

    private static string Read(string name)
    {
        using var stream = typeof(Migration).Assembly.GetManifestResourceStream(name)!;
        using var reader = new StreamReader(stream);
        return reader.ReadToEnd();
    }
}
