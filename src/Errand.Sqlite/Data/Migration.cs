using System.Reflection;

namespace Errand.Sqlite.Data;

/// <summary>
/// One step of the schema. Numbered by its place, forward only, and never changed once it is released.
/// </summary>
/// <param name="Sql">Its statements.</param>
/// <param name="Reader">The lowest schema version whose engines may read what this step leaves.</param>
/// <param name="Writer">The lowest schema version whose engines may settle tasks in what this step leaves.</param>
internal sealed record Migration(string Sql, int Reader, int Writer)
{
    /// <summary>The steps that this engine knows.</summary>
    internal static IReadOnlyList<Migration> All { get; } = [new(Read("0001_errand.sql"), Reader: 1, Writer: 1)];

    private static string Read(string name)
    {
        using var stream = Assembly.GetExecutingAssembly().GetManifestResourceStream(name)
            ?? throw new InvalidOperationException($"The migration {name} is not part of the assembly.");
        using var reader = new StreamReader(stream);
        return reader.ReadToEnd();
    }
}
