namespace Errand.PostgreSql.Engine;

/// <summary>What an operation needs and somebody else holds.</summary>
internal enum HeldKind
{
    /// <summary>The row of a task that it settles, cancels or removes.</summary>
    Task,

    /// <summary>The lock of an id that it enqueues.</summary>
    Id,

    /// <summary>The lock of a unique key that it enqueues.</summary>
    Key,
}
