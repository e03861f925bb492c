namespace Errand.PostgreSql.Enqueue;

/// <summary>
/// A new task with its id, and the worker that it is handed to as it is inserted; none when that is 0.
/// </summary>
internal readonly record struct NewRow(NewTask Task, long Id, long Owner = Turn.Nobody);
