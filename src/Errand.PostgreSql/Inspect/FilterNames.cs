namespace Errand.PostgreSql.Inspect;

/// <summary>The numbers of the names in a filter; null for one that it does not ask for.</summary>
internal readonly record struct FilterNames(int? Queue, int? Name)
{
    // language=postgresql
    private const string FindNamesSql = """
        select (select id from errand.errand_names where text = @queue),
               (select id from errand.errand_names where text = @name)
        """;

    /// <returns>Null when the filter asks for a name that has no number: no task has ever had it.</returns>
    internal static async Task<FilterNames?> FindAsync(Snapshot snapshot, TaskFilter filter)
    {
        FilterNames names = default;
        await snapshot.RunAsync(batch => batch
            .Add(FindNamesSql, row =>
                names = new FilterNames(
                    row.IsDBNull(0) ? null : row.GetInt32(0), row.IsDBNull(1) ? null : row.GetInt32(1)))
            .With("queue", filter.Queue ?? "").With("name", filter.Name ?? "")).ConfigureAwait(false);
        var isUnknown = (filter.Queue is not null && names.Queue is null)
            || (filter.Name is not null && names.Name is null);
        return isUnknown ? null : names;
    }
}
