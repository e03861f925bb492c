using System.Data.Common;
using Microsoft.EntityFrameworkCore.Diagnostics;

namespace Errand.EntityFrameworkCore;

/// <summary>
/// <c>EnsureCreated</c> creates tables only in a database that has none. Those of Errand are not counted, so that either may come
/// first. Where the provider asks in another way, nothing changes.
/// </summary>
internal sealed class TablesInterceptor : DbCommandInterceptor
{
    /// <summary>Of each provider: a part of its question that stands in no other, and what is added to it.</summary>
    private static readonly (string Question, string Addition)[] Questions =
    [
        ("SELECT COUNT(*) FROM \"sqlite_master\" WHERE \"type\" = 'table'", " AND \"name\" NOT LIKE 'errand!_%' ESCAPE '!'"),
        ("ns.nspname NOT IN ('pg_catalog', 'information_schema')", " AND cls.relname NOT LIKE 'errand!_%' ESCAPE '!'"),
    ];

    public override InterceptionResult<object> ScalarExecuting(
        DbCommand command, CommandEventData eventData, InterceptionResult<object> result)
    {
        Change(command, eventData);
        return result;
    }

    public override ValueTask<InterceptionResult<object>> ScalarExecutingAsync(
        DbCommand command, CommandEventData eventData, InterceptionResult<object> result, CancellationToken cancellationToken = default)
    {
        Change(command, eventData);
        return ValueTask.FromResult(result);
    }

    private static void Change(DbCommand command, CommandEventData eventData)
    {
        if (eventData.CommandSource is not (CommandSource.Migrations or CommandSource.Unknown)) // Npgsql gives none.
        {
            return;
        }

        foreach (var (question, addition) in Questions)
        {
            var at = command.CommandText.IndexOf(question, StringComparison.Ordinal);
            if (at >= 0)
            {
                command.CommandText = command.CommandText.Insert(at + question.Length, addition);
                return;
            }
        }
    }
}
