namespace Errand.PostgreSql.Engine;

/// <summary>What this engine may do with the schema that is there.</summary>
internal enum SchemaFit
{
    /// <summary>It knows the schema: everything.</summary>
    Current,

    /// <summary>
    /// A newer engine has upgraded it, and this one may still write: it finishes what it runs, and begins nothing.
    /// </summary>
    Draining,

    /// <summary>A newer engine has upgraded it, and this one may only read.</summary>
    ReadOnly,

    /// <summary>A newer engine has upgraded it beyond what this one may read.</summary>
    Unreadable,
}
