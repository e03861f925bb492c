namespace Errand.PostgreSql.Settle;

/// <summary>What a settlement makes of its task.</summary>
internal enum SettleKind
{
    Success,
    Failure,
    Retry,
    Snooze,
    Release,
    Cancel,
}
