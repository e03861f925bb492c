namespace Errand.Sqlite.Upkeep;

/// <summary>
/// Verify: what must be true of every database that this engine has written, as each part says of its own tables.
/// </summary>
internal sealed class Verification(SqliteStore store, PartList<Turn> parts, IInbox<Turn> inbox)
{
    /// <inheritdoc cref="SqliteBackend.VerifyAsync"/>
    internal async Task<SqliteVerification> RunAsync(CancellationToken cancellationToken)
    {
        List<string> problems = [];
        if (store.IsMemory)
        {
            await inbox.SubmitAsync(new VerifyOperation(this, problems), cancellationToken).ConfigureAwait(false);
        }
        else
        {
            await Background.RunAsync(() => VerifyFile(problems, cancellationToken), cancellationToken).ConfigureAwait(false);
        }

        return new SqliteVerification { Problems = problems };
    }

    private void VerifyFile(List<string> problems, CancellationToken cancellationToken)
    {
        try
        {
            using var snapshot = store.OpenSnapshot();
            using var interruption = cancellationToken.UnsafeRegister(database => ((SqliteDatabase)database!).Interrupt(), snapshot);
            Verify(snapshot, problems, cancellationToken);
        }
        catch (BackendException e) when (SqliteErrors.IsDamage(e))
        {
            problems.Add(e.Message); // The very first page.
        }
        catch (BackendException) when (cancellationToken.IsCancellationRequested)
        {
            throw new OperationCanceledException(cancellationToken);
        }
    }

    private void Verify(SqliteDatabase database, List<string> problems, CancellationToken cancellationToken)
    {
        Look(() => problems.AddRange(database.Texts(CheckPagesSql).Where(line => line != "ok").Select(line => $"SQLite says: {line}")));
        HashSet<string> missing = new(StringComparer.Ordinal);
        Look(() => missing = VerifySchema(database, problems));
        if (!TaskInvariants.Tables.Any(missing.Contains))
        {
            LookAt(TaskInvariants.All);
            Look(() => VerifyRetries(database, problems));
            foreach (var part in parts.All.Where(part => !part.Tables.Any(missing.Contains)))
            {
                LookAt(part.InvariantsSql);
            }
        }

        void LookAt(IReadOnlyList<string> invariants)
        {
            foreach (var sql in invariants)
            {
                Look(() => problems.AddRange(database.Texts(sql)));
            }
        }

        void Look(Action look)
        {
            cancellationToken.ThrowIfCancellationRequested();
            try
            {
                look();
            }
            catch (BackendException e) when (SqliteErrors.IsDamage(e))
            {
                if (!problems.Contains(e.Message, StringComparer.Ordinal))
                {
                    problems.Add(e.Message); // What else this look would have found is not known.
                }
            }
        }
    }

    // language=sqlite
    private const string CheckPagesSql = "pragma integrity_check(20)";

    /// <summary>
    /// The application's tables and indexes stand beside ours; of ours none may be missing or different.
    /// </summary>
    /// <returns>The tables that are not there, or not as they must be, so that it cannot be asked what they hold.</returns>
    private HashSet<string> VerifySchema(SqliteDatabase database, List<string> problems)
    {
        const string Table = "table ";
        HashSet<string> missing = new(StringComparer.Ordinal);
        var found = database.Texts(Schema.SelectSchemaSql);
        foreach (var expected in store.Schema.Expected().Where(expected => !found.Contains(expected, StringComparer.Ordinal)))
        {
            var name = expected[..expected.IndexOf('\n', StringComparison.Ordinal)];
            var isThere = found.Exists(one => one.StartsWith(name + "\n", StringComparison.Ordinal));
            problems.Add($"The {name} {(isThere ? "is not as Errand makes it" : "is missing")}.");
            if (name.StartsWith(Table, StringComparison.Ordinal))
            {
                missing.Add(name[Table.Length..]);
            }
        }

        return missing;
    }

    // language=sqlite
    private const string SelectRetriesSql = """
        select retry from errand_tasks where retry is not null
        union
        select retry from errand_finished where retry is not null
        """;

    private static void VerifyRetries(SqliteDatabase database, List<string> problems)
    {
        foreach (var retry in database.Texts(SelectRetriesSql))
        {
            try
            {
                RetryText.Read(retry, 1);
            }
            catch (Exception e) when (e is FormatException or OverflowException or IndexOutOfRangeException)
            {
                problems.Add($"There is a retry policy '{retry}' that cannot be read.");
            }
        }
    }

    private sealed class VerifyOperation(Verification verification, List<string> problems) : Operation<Turn, bool>
    {
        internal override TurnStage Stage => TurnStage.Read;

        internal override void Run(Turn turn) => Result = turn.InSnapshot(snapshot =>
        {
            verification.Verify(snapshot.Database, problems, CancellationToken.None);
            return true;
        });
    }
}
