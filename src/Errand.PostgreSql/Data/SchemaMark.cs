namespace Errand.PostgreSql.Data;

/// <summary>What the schema says of itself.</summary>
/// <param name="Store">The store's own mark, and the database's: tells two stores apart.</param>
/// <param name="Version">Of the schema.</param>
/// <param name="Reader">The lowest engine version that may still read it.</param>
/// <param name="Writer">The lowest engine version that may still write to it.</param>
/// <param name="IsDurable">Whether a commit waits for the disk.</param>
internal sealed record SchemaMark(string Store, int Version, int Reader, int Writer, bool IsDurable);
