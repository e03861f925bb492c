namespace Errand.Engine;

/// <summary>One transaction of a store.</summary>
internal interface ITurn
{
    /// <summary>What it brings about beyond its rows.</summary>
    Effects Effects { get; }

    /// <summary>A stage is over: a store that collects the rows of a stage writes them now.</summary>
    void End(TurnStage stage);
}
