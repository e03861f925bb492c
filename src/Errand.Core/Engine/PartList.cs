namespace Errand.Engine;

/// <summary>
/// The parts of an engine, in the order in which they hear of each moment; each moment calls only those that hear it.
/// </summary>
internal sealed class PartList<TTurn>
{
    private readonly Part<TTurn>[] _all;

    internal PartList(params Part<TTurn>[] parts)
    {
        _all = parts;
        for (var i = 0; i < parts.Length; i++)
        {
            parts[i].Join(i);
        }

        Doubting = Hearing(Moments.Doubted);
        Planning = Hearing(Moments.Plan);
        Working = Hearing(Moments.HasWork);
        Upkeeping = Hearing(Moments.Upkeep);
        Beginning = Hearing(Moments.Began);
        Settling = Hearing(Moments.Settled);
        Filling = Hearing(Moments.Fill);
        Committing = Hearing(Moments.Committing);
        Committed = Hearing(Moments.Committed);
        Tidying = Hearing(Moments.Tidy);
        Inserting = Hearing(Moments.Inserted);
        Waiting = Hearing(Moments.WaitsAgain);
        Removing = Hearing(Moments.Removed);
        Pruning = Hearing(Moments.Pruning);
    }

    internal IReadOnlyList<Part<TTurn>> All => _all;

    internal Part<TTurn>[] Doubting { get; }

    internal Part<TTurn>[] Planning { get; }

    internal Part<TTurn>[] Working { get; }

    internal Part<TTurn>[] Upkeeping { get; }

    internal Part<TTurn>[] Beginning { get; }

    internal Part<TTurn>[] Settling { get; }

    internal Part<TTurn>[] Filling { get; }

    internal Part<TTurn>[] Committing { get; }

    internal Part<TTurn>[] Committed { get; }

    internal Part<TTurn>[] Tidying { get; }

    internal Part<TTurn>[] Inserting { get; }

    internal Part<TTurn>[] Waiting { get; }

    internal Part<TTurn>[] Removing { get; }

    internal Part<TTurn>[] Pruning { get; }

    internal void Doubt(Doubt why)
    {
        foreach (var part in Doubting)
        {
            part.Doubted(why);
        }
    }

    internal bool HasWork(long now)
    {
        foreach (var part in Working)
        {
            if (part.HasWork(now))
            {
                return true;
            }
        }

        return false;
    }

    private Part<TTurn>[] Hearing(Moments moment) => [.. _all.Where(part => part.Hears.HasFlag(moment))];
}
