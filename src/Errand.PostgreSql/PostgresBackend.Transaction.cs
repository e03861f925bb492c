using Errand.PostgreSql.Diagnostics;
using Errand.PostgreSql.Engine;

namespace Errand.PostgreSql;

/// <summary>The connection of the turns: how it is made, what is prepared on it, and what is made of a turn that fails.</summary>
public sealed partial class PostgresBackend
{
    /// <summary>How often a turn whose answer was lost is redone before each operation has a try alone.</summary>
    private const int Redos = 3;

    private static readonly TimeSpan ShortestPause = TimeSpan.FromMilliseconds(20);
    private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(1);

    private bool _isPooled; // Behind a pooler of transactions.
    private long _givenBelow; // No id of this size or more was known to be given, when last looked at.
    private string _mark = ""; // Of the store that names and ids are known of.
    private long? _awaySince; // When the server was first found away, on the monotonic clock.

    /// <summary>
    /// Connects where there is no connection, waiting for a server that is away. One that stays away longer than that is asked
    /// once for each turn, and turns are a pause apart.
    /// </summary>
    private async Task ConnectAsync()
    {
        var pause = ShortestPause;
        while (_connection is null)
        {
            try
            {
                (_connection, _isPooled) = await _store.OpenForTurnsAsync(CancellationToken.None).ConfigureAwait(false);
            }
            catch (BackendException e)
            {
                _awaySince ??= TimeProvider.System.GetTimestamp();
                var isPatient = TimeProvider.System.GetElapsedTime(_awaySince.Value) < _options.BusyTimeout;
                if (!e.IsTransient || !isPatient || _closing.IsCancellationRequested)
                {
                    throw;
                }
            }

            if (_connection is null)
            {
                await Task.Delay(pause * (0.5 + _options.Random.NextDouble()), TimeProvider.System, _closing.Token)
                    .ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
                pause = pause * 2 < LongestPause ? pause * 2 : LongestPause;
                continue;
            }

            NoteConnected();
        }
    }

    private void NoteConnected()
    {
        if (_mark != _store.Mark)
        {
            _names.Forget(); // Another store is there now, if it is not the first.
            _ids.Forget();
            _givenBelow = 0;
            _mark = _store.Mark;
            DropAllWorkers();
            foreach (var operation in _arrived.Concat(_held.ConvertAll(one => one.Operation)))
            {
                operation.Ids = null;
                operation.MayBeDone = false;
            }

            if (_isPooled)
            {
                Log.Pooled(_logger, _store.Name);
            }
        }

        if (_awaySince is { } since)
        {
            Log.ConnectionRestored(_logger, _store.Name, TimeProvider.System.GetElapsedTime(since));
            _awaySince = null;
        }

        _readyVersion++;
        _nextDue = 0;
        _nextExpiry = 0;
        _waitersMayBeDone = true;
        _floorVersion++;
        StartStrangers();
    }

    /// <summary>
    /// Runs a transaction until its outcome is known: when the answer is lost, it is redone on a new connection, and each operation
    /// finds out whether it has been done already.
    /// </summary>
    /// <exception cref="BackendException">None of it was done; or the server stays away, and nobody knows.</exception>
    private async Task TransactSurelyAsync(List<Operation> settles, List<Operation> enqueues, bool fill)
    {
        var began = TimeProvider.System.GetTimestamp();
        for (var redos = 0; ; redos++)
        {
            try
            {
                await TransactAsync(settles, enqueues, fill).ConfigureAwait(false);
                return;
            }
            catch (BackendException e)
                when (PostgresErrors.IsHeldUp(e) && TimeProvider.System.GetElapsedTime(began) < _options.BusyTimeout)
            {
                redos--; // To wait is no failure.
                await PutHeldAsideAsync(settles, enqueues).ConfigureAwait(false);
            }
            catch (BackendException e) when (redos < Redos && (PostgresErrors.LostConnection(e) || PostgresErrors.IsConflict(e)))
            {
                redos = PostgresErrors.IsTimeout(e) ? Redos : redos; // The second time that nobody answers is the last.
                await ConnectAsync().ConfigureAwait(false);
                await PrepareAsync().ConfigureAwait(false); // The names have other numbers when another store is there now.
            }
        }
    }

    private async Task AfterFailureAsync(Exception exception, List<Operation> settles, List<Operation> enqueues)
    {
        _ended.Clear();
        _reports.Clear();
        _readyVersion++;
        _nextDue = 0;
        _nextExpiry = 0;
        _floorVersion++;
        var isLost = exception is not BackendException e || PostgresErrors.LostConnection(e);
        TakeBackReserved(isLost);
        if (isLost)
        {
            settles.ForEach(operation => operation.MayBeDone = true);
            enqueues.ForEach(operation => operation.MayBeDone = true);
            await ReplaceConnectionAsync(exception).ConfigureAwait(false);
        }
    }

    private async Task ReplaceConnectionAsync(Exception exception)
    {
        if (_connection is not null && (exception is not BackendException e || PostgresErrors.LostConnection(e)))
        {
            Log.ConnectionReplaced(_logger, _store.Name, exception);
            await CloseConnectionAsync().ConfigureAwait(false);
        }
    }

    private async Task CloseConnectionAsync()
    {
        if (_connection is { } connection)
        {
            _connection = null;
            await connection.DisposeAsync().ConfigureAwait(false);
        }
    }

    /// <summary>Names get their numbers, and tasks their ids, before the turn and for good: redoing it changes neither.</summary>
    private async Task PrepareAsync()
    {
        HashSet<string> names = new(StringComparer.Ordinal);
        var largestGiven = 0L;
        var needed = 0;
        foreach (var operation in _arrived)
        {
            largestGiven = Math.Max(largestGiven, operation.LargestGivenId);
            needed += operation.NewIds;
            foreach (var name in operation.Names)
            {
                if (!_names.Has(name))
                {
                    names.Add(name);
                }
            }
        }

        if (names.Count > 0)
        {
            await InternAsync([.. names.Order(StringComparer.Ordinal)]).ConfigureAwait(false);
        }

        if (needed > 0)
        {
            await GiveIdsAsync(needed).ConfigureAwait(false);
        }

        if (largestGiven > 0 && largestGiven >= _givenBelow)
        {
            await LookWhatWasGivenAsync().ConfigureAwait(false);
        }
    }

    // language=postgresql
    private const string SelectNamesSql = "select id, text from errand.names where text = any(@texts)";

    // language=postgresql
    private const string InsertNamesSql = """
        insert into errand.names (text)
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
            await RunAloneAsync(batch => batch.Add(SelectNamesSql, Remember).With("texts", texts)).ConfigureAwait(false);
            texts = [.. texts.Where(text => !_names.Has(text))];
            if (texts.Length == 0)
            {
                return;
            }

            // What another process inserts at this moment is not returned; it is found in the next round.
            await RunAloneAsync(batch => batch.Add(InsertNamesSql, Remember).With("texts", texts)).ConfigureAwait(false);
        }

        void Remember(Npgsql.NpgsqlDataReader row) => _names.Remember(row.GetInt32(0), row.GetString(1));
    }

    // language=postgresql
    private const string TakeBlocksSql = "select nextval('errand.task_ids') from generate_series(1, @blocks)";

    private async Task GiveIdsAsync(int needed)
    {
        foreach (var operation in _arrived)
        {
            while (operation.NewIds > 0 && operation.Ids is null && (operation.Ids = _ids.TryTake(operation.NewIds)) is null)
            {
                var blocks = Math.Max(TaskIds.BlocksAtATime, (needed + TaskIds.BlockSize - 1) / TaskIds.BlockSize);
                await RunAloneAsync(
                    batch => batch.Add(TakeBlocksSql, row => _ids.Add(row.GetInt64(0))).With("blocks", blocks)).ConfigureAwait(false);
            }
        }
    }

    // language=postgresql
    private const string LastBlockSql = "select case when is_called then last_value else 0 end from errand.task_ids";

    private Task LookWhatWasGivenAsync() => RunAloneAsync(batch => batch.Add(LastBlockSql, row =>
        _givenBelow = row.GetInt64(0) == 0 ? 1 : row.GetInt64(0) + TaskIds.BlockSize));

    /// <summary>Statements that can be run again at will, in a transaction of their own.</summary>
    private async Task RunAloneAsync(Action<TurnBatch> add)
    {
        for (var redos = 0; ; redos++)
        {
            try
            {
                await ConnectAsync().ConfigureAwait(false);
                var batch = new TurnBatch(Connection, _store);
                await using (batch.ConfigureAwait(false))
                {
                    add(batch);
                    await batch.RunAsync().ConfigureAwait(false);
                }

                return;
            }
            catch (BackendException e) when (redos < Redos && (PostgresErrors.IsConflict(e) || PostgresErrors.IsHeldUp(e)))
            {
                // Others change the same rows; they are quick.
            }
            catch (BackendException e) when (redos < Redos && _connection is not null && PostgresErrors.LostConnection(e))
            {
                await ReplaceConnectionAsync(e).ConfigureAwait(false);
            }
        }
    }
}
