namespace Errand.PostgreSql.Engine;

/// <summary>An operation that needs new task ids, or was given ids by its caller.</summary>
internal interface IUsesIds
{
    /// <summary>How many new ids it needs before its first run.</summary>
    int NewIds { get; }

    /// <summary>Whether it has them. It keeps them through every run.</summary>
    bool HasIds { get; }

    /// <summary>The largest id that its caller gave; 0 for none.</summary>
    long LargestGivenId { get; }

    void GiveIds(long[] ids);

    /// <summary>Another store is there now, in which its ids mean nothing.</summary>
    void ForgetIds();
}
