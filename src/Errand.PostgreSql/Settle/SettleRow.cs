namespace Errand.PostgreSql.Settle;

/// <summary>One settlement.</summary>
/// <param name="Lease">The right to settle.</param>
/// <param name="Value">A result, or an error or reason in UTF-8; null for none.</param>
/// <param name="Delay">How long the task waits before it is due again, in ms.</param>
internal readonly record struct SettleRow(TaskLease Lease, byte[]? Value, long Delay);
