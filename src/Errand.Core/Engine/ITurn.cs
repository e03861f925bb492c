namespace Errand.Engine;

/// <summary>One transaction of a store.</summary>
internal interface ITurn
{
    /// <summary>What it brings about beyond its rows.</summary>
    Effects Effects { get; }

    /// <summary>
    /// Why this engine takes nothing new: a newer version has upgraded the store while it was running. Null as long as
    /// it has not.
    /// </summary>
    SchemaTooNewException? Outdated { get; }

    /// <summary>A stage is over: a store that collects the rows of a stage writes them now.</summary>
    void End(TurnStage stage);
}
