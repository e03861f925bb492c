namespace Errand.PostgreSql.Engine;

/// <summary>
/// What operations need before their turn: numbers for names, and ids for tasks. Both are committed by themselves and
/// forever, so that redoing the turn changes neither, and a caller's transaction never locks them.
/// </summary>
internal sealed class Preparation(Sessions sessions)
{
    internal async ValueTask PrepareAsync(List<Operation<Turn>> operations)
    {
        HashSet<string>? unknown = null;
        var largestGiven = 0L;
        var needed = 0;
        var names = (await sessions.OpenAsync().ConfigureAwait(false)).Names;
        foreach (var operation in operations)
        {
            if (operation is IUsesIds ids)
            {
                largestGiven = Math.Max(largestGiven, ids.LargestGivenId);
                needed += ids.NewIds;
            }

            if (operation is IUsesNames user)
            {
                foreach (var name in user.Names)
                {
                    if (!names.Has(name))
                    {
                        (unknown ??= new HashSet<string>(StringComparer.Ordinal)).Add(name);
                    }
                }
            }
        }

        if (unknown is not null)
        {
            await InternAsync([.. unknown.Order(StringComparer.Ordinal)]).ConfigureAwait(false);
        }

        if (needed > 0)
        {
            await GiveIdsAsync(operations, needed).ConfigureAwait(false);
        }

        if (largestGiven > 0 && sessions.Current is { } session && largestGiven >= session.GivenBelow)
        {
            await LookWhatWasGivenAsync().ConfigureAwait(false);
        }
    }

    // language=postgresql
    private const string SelectNamesSql = "select id, text from errand.errand_names where text = any(@texts)";

    // language=postgresql
    private const string InsertNamesSql = """
        insert into errand.errand_names (text)
        select   text
        from     unnest(@texts) as text
        order by text
        on conflict (text) do nothing
        returning id, text
        """;

    private async Task InternAsync(string[] texts)
    {
        while (true)
        {
            await RememberAsync(SelectNamesSql, texts).ConfigureAwait(false);
            texts = [.. texts.Where(text => sessions.Current?.Names.Has(text) != true)];
            if (texts.Length == 0)
            {
                return;
            }

            // What another process inserts at this moment is not returned; the next round finds it.
            await RememberAsync(InsertNamesSql, texts).ConfigureAwait(false);
        }
    }

    private Task RememberAsync(string sql, string[] texts) => sessions.RunAloneAsync((session, batch) =>
        batch.Add(sql, row => session.Names.Remember(row.GetInt32(0), row.GetString(1))).With("texts", texts));

    // language=postgresql
    private const string TakeBlocksSql = "select nextval('errand.errand_task_ids') from generate_series(1, @blocks)";

    private async Task GiveIdsAsync(List<Operation<Turn>> operations, int needed)
    {
        // A session that is lost meanwhile takes the ids with it that were given before.
        while (operations.Find(static one => one is IUsesIds { NewIds: > 0, HasIds: false }) is IUsesIds first)
        {
            foreach (var user in operations.OfType<IUsesIds>().SkipWhile(user => user != first))
            {
                if (user.NewIds == 0 || user.HasIds)
                {
                    continue;
                }

                if (sessions.Current?.Ids.TryTake(user.NewIds) is { } ids)
                {
                    user.GiveIds(ids);
                    continue;
                }

                var blocks = Math.Max(TaskIds.BlocksAtATime, (needed + TaskIds.BlockSize - 1) / TaskIds.BlockSize);
                await sessions.RunAloneAsync((session, batch) =>
                    batch.Add(TakeBlocksSql, row => session.Ids.Add(row.GetInt64(0))).With("blocks", blocks))
                        .ConfigureAwait(false);
                break;
            }
        }
    }

    // language=postgresql
    private const string LastBlockSql =
        "select case when is_called then last_value else 0 end from errand.errand_task_ids";

    private Task LookWhatWasGivenAsync() => sessions.RunAloneAsync(
        static (session, batch) => batch.Add(LastBlockSql, row => session.SawLastBlock(row.GetInt64(0))));
}
