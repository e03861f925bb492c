using Errand.Sqlite.Engine;

namespace Errand.Sqlite;

/// <summary>Verify: what must be true of every database that this engine has written, said once, in statements.</summary>
public sealed partial class SqliteBackend
{
    /// <summary>
    /// Looks whether the database is sound: every page and index of it, and what must be true of tasks, workers and names. Changes
    /// nothing; what is wrong is told, not mended.
    /// </summary>
    /// <remarks>
    /// It reads everything, once or a few times. Of a file, by a connection of its own, in one snapshot, while everybody goes on. Of
    /// <c>:memory:</c> there is one connection alone: everybody waits meanwhile.
    /// </remarks>
    /// <param name="cancellationToken">Ends it.</param>
    /// <exception cref="NotAnErrandDatabaseException">The file is something else.</exception>
    /// <exception cref="SchemaTooNewException">The file was written by a newer version.</exception>
    /// <exception cref="BackendException">There is no file, or it cannot be read. That it is damaged is no error but a problem.</exception>
    /// <exception cref="ObjectDisposedException">The backend is disposed.</exception>
    public async Task<SqliteVerification> VerifyAsync(CancellationToken cancellationToken = default)
    {
        ObjectDisposedException.ThrowIf(_disposal is not null, this);
        List<string> problems = [];
        if (_store.IsMemory)
        {
            await SubmitAsync(new VerifyOperation(this, problems), cancellationToken).ConfigureAwait(false);
        }
        else
        {
            await Apart(() => VerifyFile(problems, cancellationToken), cancellationToken).ConfigureAwait(false);
        }

        return new SqliteVerification { Problems = problems };
    }

    private void VerifyFile(List<string> problems, CancellationToken cancellationToken)
    {
        try
        {
            using var snapshot = _store.OpenSnapshot();
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
        var hasTables = false;
        Look(() => hasTables = VerifySchema(database, problems));
        if (hasTables)
        {
            foreach (var sql in InvariantsSql)
            {
                Look(() => problems.AddRange(database.Texts(sql)));
            }

            Look(() => VerifyRetries(database, problems));
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

    /// <summary>Tables and indexes of somebody else's may stand beside ours; of ours none may be missing or different.</summary>
    /// <returns>Whether the tables are there, so that it can be asked what they hold.</returns>
    private bool VerifySchema(SqliteDatabase database, List<string> problems)
    {
        var hasTables = true;
        var found = database.Texts(SqliteStore.SelectSchemaSql);
        foreach (var expected in _store.ExpectedSchema().Where(expected => !found.Contains(expected, StringComparer.Ordinal)))
        {
            var name = expected[..expected.IndexOf('\n', StringComparison.Ordinal)];
            var isThere = found.Exists(one => one.StartsWith(name + "\n", StringComparison.Ordinal));
            problems.Add($"The {name} {(isThere ? "is not as Errand makes it" : "is missing")}.");
            hasTables &= !name.StartsWith("table ", StringComparison.Ordinal);
        }

        return hasTables;
    }

    // language=sqlite
    private const string SelectRetriesSql = """
        select retry from tasks where retry is not null
        union
        select retry from finished where retry is not null
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

    // Each gives a sentence for what breaks it. Whether one time lies before another is not asked: clocks are set back.
    // language=sqlite
    private static readonly string[] InvariantsSql =
    [
        """
        select 'Task ' || id || ' is both live and finished.' from tasks where id in (select id from finished) limit 20
        """,
        """
        select 'There are ' || count(*) || ' counters of ids instead of one.' from counters having count(*) <> 1
        """,
        """
        select 'The next id is ' || next_id || ', which is none.' from counters where next_id not between 1 and (1 << 53)
        """,
        """
        select 'Task ' || id || ' has an id that was never given out; the next is ' || next_id || '.'
        from   (select id from tasks union all select id from finished) join counters on id >= next_id or id < 1
        limit  20
        """,
        """
        select 'Task ' || id || ' lives in the state ' || state || ', which is none of those.'
        from   tasks
        where  state not in (10, 11, 12)
        limit  20
        """,
        """
        select 'Task ' || id || ' has ended in the state ' || state || ', which is none of those.'
        from   finished
        where  state not in (20, 21, 22, 23)
        limit  20
        """,
        """
        select 'Task ' || id || ' runs on ' || owner || ', which is no worker: it would never come back.'
        from   tasks
        where  state = 12 and owner not in (select id from workers)
        limit  20
        """,
        """
        select 'Task ' || id || ' waits, and yet belongs to ' || owner || '.'
        from   tasks
        where  state <> 12 and owner <> 1 << 40
        limit  20
        """,
        """
        select 'Task ' || id || ' runs, and yet has had no attempt.' from tasks where state = 12 and attempt < 1 limit 20
        """,
        """
        select 'Task ' || id || ' has had ' || attempt || ' attempts of ' || max_attempts || '.'
        from   (select id, attempt, max_attempts from tasks union all select id, attempt, max_attempts from finished)
        where  attempt < 0 or attempt > max_attempts or max_attempts < 1
        limit  20
        """,
        """
        select 'Task ' || id || ' has had ' || attempt || ' attempts, but only ' || epoch || ' starts.'
        from   (select id, attempt, epoch from tasks union all select id, attempt, epoch from finished)
        where  attempt > epoch
        limit  20
        """,
        """
        select 'Task ' || id || ' is to be cancelled, but does not run.' from tasks where cancelled is not null and state <> 12 limit 20
        """,
        """
        select 'Task ' || id || ' is parked (' || parked || '), but not scheduled.'
        from   tasks
        where  parked is not null and (state <> 11 or parked <> 1)
        limit  20
        """,
        """
        select 'The unique key ''' || unique_key || ''' is held by ' || count(*) || ' live tasks, one of them ' || min(id) || '.'
        from   tasks not indexed
        where  unique_key is not null
        group by name, unique_key
        having count(*) > 1
        limit  20
        """,
        """
        select 'Task ' || id || ' failed, but has no payload to be retried with.'
        from   finished
        where  state = 21 and (payload is null or max_attempts is null)
        limit  20
        """,
        """
        select 'Task ' || id || ' has a result, but did not succeed.' from finished where result is not null and state <> 20 limit 20
        """,
        """
        select 'Task ' || id || ' has a timeout of ' || timeout || ' ms.'
        from   (select id, timeout from tasks union all select id, timeout from finished)
        where  timeout < 1
        limit  20
        """,
        """
        select 'Task ' || id || ' has the name or queue ' || missing || ', which is not there.'
        from   (
            select id, queue as missing from tasks
            union all
            select id, name from tasks
            union all
            select id, queue from finished
            union all
            select id, name from finished)
        where  missing not in (select id from names)
        limit  20
        """,
        """
        select 'A worker, paused queue or unique key has the name ' || missing || ', which is not there.'
        from   (
            select name as missing from worker_names
            union all
            select queue from paused_queues
            union all
            select name from unique_periods)
        where  missing not in (select id from names)
        limit  20
        """,
        """
        select 'Attempts are kept of task ' || task || ', which is gone.'
        from   attempts
        where  task not in (select id from tasks) and task not in (select id from finished)
        group by task
        limit  20
        """,
        """
        select 'Task ' || task || ' has an attempt of start ' || attempts.epoch || ', but was started ' || live.epoch || ' times.'
        from   attempts
        join   (select id, epoch from tasks union all select id, epoch from finished) as live on live.id = task
        where  attempts.epoch > live.epoch or attempts.epoch < 1
        limit  20
        """,
        """
        select 'Progress is kept of task ' || task || ', which is gone.'
        from   progress
        where  task not in (select id from tasks) and task not in (select id from finished)
        limit  20
        """,
        """
        select 'Task ' || task || ' has a progress of ' || fraction || '.' from progress where fraction not between 0 and 1 limit 20
        """,
        """
        select 'Task ' || id || ' has the time ' || time || ', which is not between the years 1970 and 9999.'
        from   (
            select id, due as time from tasks
            union all
            select id, started from tasks
            union all
            select id, enqueued from tasks
            union all
            select id, expires from tasks
            union all
            select id, due from finished
            union all
            select id, started from finished
            union all
            select id, enqueued from finished
            union all
            select id, finished from finished
            union all
            select task, started from attempts
            union all
            select task, ended from attempts
            union all
            select task, reported from progress
            union all
            select id, until from unique_periods)
        where  time not between 0 and 253402300799999
        limit  20
        """,
        """
        select 'Worker ' || id || ' has a lease of ' || lease || ' ms, ' || beat || ' heartbeats and began at ' || started || '.'
        from   workers
        where  lease < 1 or beat < 0 or started not between 0 and 253402300799999 or id <= 1 << 40
        limit  20
        """,
        """
        select 'Names are known of worker ' || worker || ', which is gone.'
        from   worker_names
        where  worker not in (select id from workers)
        group by worker
        limit  20
        """,
    ];

    private sealed class VerifyOperation(SqliteBackend backend, List<string> problems) : Operation<bool>
    {
        internal override TurnPart Part => TurnPart.Read;

        internal override void Run() => Result = backend.InSnapshot(() =>
        {
            backend.Verify(backend.Database, problems, CancellationToken.None);
            return true;
        });
    }
}
