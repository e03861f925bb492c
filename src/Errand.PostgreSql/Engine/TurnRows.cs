namespace Errand.PostgreSql.Engine;

/// <summary>
/// Rows that a stage of a turn collects, so that one statement of each kind writes them all when the stage ends.
/// </summary>
internal abstract class TurnRows(TurnStage stage)
{
    internal TurnStage Stage => stage;

    /// <summary>Adds their statements to the turn.</summary>
    internal abstract void Write(Turn turn);
}
