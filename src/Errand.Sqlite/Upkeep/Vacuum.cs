namespace Errand.Sqlite.Upkeep;

/// <summary>
/// Gives free pages back to the system, a megabyte at a time, and measures the room that the database takes.
/// </summary>
internal sealed class Vacuum(SqliteStore store, TimeProvider time) : Part<Turn>
{
    /// <summary>Free pages that are kept for what comes next.</summary>
    private const int SparePages = 1_024;

    private readonly UpkeepPace _pace = new(time, Timeout.InfiniteTimeSpan);

    internal override Moments Hears => Moments.Plan | Moments.Upkeep;

    internal Operation<Turn, SqliteStorage> Measure() => new MeasureOperation(store);

    /// <summary>There may be free pages.</summary>
    internal void Look() => _pace.Done(goesOn: true);

    internal override void Plan(Agenda agenda)
    {
        if (_pace.GoesOn)
        {
            _pace.Plan(agenda);
        }
    }

    internal override Action<Turn>? Upkeep(Turn reader, long now)
    {
        if (!_pace.GoesOn)
        {
            return null;
        }

        if (HasPagesToSpare(reader))
        {
            return Shrink;
        }

        _pace.Done(goesOn: false);
        return null;
    }

    // Of a database that was made by the application, pages may not be given back at all. language=sqlite
    private const string IsIncrementalSql = "select auto_vacuum = 2 from pragma_auto_vacuum";

    private static bool HasPagesToSpare(Turn reader)
    {
        var free = reader.Statement("pragma freelist_count").Scalar().GetValueOrDefault();
        var all = reader.Statement("pragma page_count").Scalar().GetValueOrDefault();
        return free > Math.Max(SparePages, all / 10) && reader.Statement(IsIncrementalSql).Scalar() == 1;
    }

    // language=sqlite
    private const string VacuumSql = "pragma incremental_vacuum(256)";

    private void Shrink(Turn turn)
    {
        turn.Statement(VacuumSql).Execute();
        _pace.Done(HasPagesToSpare(turn));
    }

    private sealed class MeasureOperation(SqliteStore store) : Operation<Turn, SqliteStorage>
    {
        internal override TurnStage Stage => TurnStage.Read;

        internal override void Run(Turn turn)
        {
            var page = turn.Database.Scalar("pragma page_size").GetValueOrDefault();
            var pages = turn.Database.Scalar("pragma page_count").GetValueOrDefault();
            var free = turn.Database.Scalar("pragma freelist_count").GetValueOrDefault();
            Result = new SqliteStorage
            {
                DatabaseBytes = pages * page, FreeBytes = free * page, WalBytes = store.LogBytes, PageBytes = (int)page,
            };
        }
    }
}
