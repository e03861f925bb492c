namespace Errand.Torture;

/// <summary>Where the torture is played: real processes on one file, or everything in this process on <c>:memory:</c>.</summary>
internal interface IStage : IAsyncDisposable
{
    /// <summary>Whether processes are killed here.</summary>
    bool Kills { get; }

    /// <summary>Starts everybody, lets the nemesis at them by a plan drawn from the seed, then heals and drains.</summary>
    Task PlayAsync();

    /// <summary>Every finished task as the store has it.</summary>
    Task<IReadOnlyCollection<Final>> ReadFinalsAsync();

    /// <summary>What is wrong with the store itself.</summary>
    Task<IReadOnlyList<string>> FindProblemsAsync();
}
