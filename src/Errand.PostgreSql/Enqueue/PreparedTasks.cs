namespace Errand.PostgreSql.Enqueue;

/// <summary>
/// What the tasks of a caller's transaction need: the session in which their names have numbers, and new ids.
/// </summary>
internal sealed record PreparedTasks(Session Session, long[] Ids);
