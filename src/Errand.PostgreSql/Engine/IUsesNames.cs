namespace Errand.PostgreSql.Engine;

/// <summary>An operation with names of queues or tasks, which must have numbers before its turn.</summary>
internal interface IUsesNames
{
    IEnumerable<string> Names { get; }
}
