using System.Collections.Concurrent;
using System.Data;
using Errand.TestKit;
using Npgsql;

namespace Errand.PostgreSql.Tests;

/// <summary>Callers' transactions of every isolation level, whose snapshots may be older than what has happened to a task.</summary>
public sealed class IsolationTests(PostgresServer server) : IAsyncLifetime
{
    private static readonly NewTask Some = new() { Name = "a", Payload = "{}"u8.ToArray() };

    private readonly PostgresBackendOptions _options = new() { Schema = PostgresServer.NewSchema() };
    private PostgresBackend _backend = null!;

    public static TheoryData<IsolationLevel> Levels => [IsolationLevel.ReadCommitted, IsolationLevel.RepeatableRead, IsolationLevel.Serializable];

    public async ValueTask InitializeAsync()
    {
        _backend = new PostgresBackend(server.ConnectionString(), _options);
        await _backend.InitializeAsync();
    }

    public ValueTask DisposeAsync() => _backend.DisposeAsync();

    private ValueTask<WorkerId> BeginAsync() =>
        _backend.BeginWorkerAsync(new WorkerRegistration { Lease = TimeSpan.FromSeconds(30), TaskNames = ["a"] });

    private ValueTask<IReadOnlyList<ReservedTask>> TakeAsync(WorkerId owner) =>
        _backend.ReserveAsync(new ReserveRequest { Owner = owner, MaxTasks = 10, Wait = TimeSpan.Zero });

    private async Task<NpgsqlConnection> ConnectAsync()
    {
        var connection = new NpgsqlConnection(server.ConnectionString());
        await connection.OpenAsync();
        return connection;
    }

    /// <summary>From here on, the transaction sees what is committed now and no more.</summary>
    private static async Task LookAsync(NpgsqlTransaction transaction)
    {
        await using var command = new NpgsqlCommand("select count(*) from pg_class", transaction.Connection, transaction);
        await command.ExecuteScalarAsync();
    }

    private async Task<bool> EnqueueInAsync(NpgsqlTransaction transaction, TaskId id) =>
        Assert.Single(await _backend.EnqueueInAsync([Some with { Id = id }], transaction)).IsNew;

    [Theory]
    [MemberData(nameof(Levels))]
    public async Task A_task_is_enqueued_and_completed_in_a_transaction(IsolationLevel level)
    {
        await using var connection = await ConnectAsync();
        var owner = await BeginAsync();
        var id = await _backend.NewIdAsync();
        await using (var transaction = await connection.BeginTransactionAsync(level))
        {
            await LookAsync(transaction);
            Assert.True(await EnqueueInAsync(transaction, id));
            Assert.False(await EnqueueInAsync(transaction, id));
            await transaction.CommitAsync();
        }

        var task = Assert.Single(await TakeAsync(owner));
        Assert.Equal(id, task.Lease.Id);
        await using (var transaction = await connection.BeginTransactionAsync(level))
        {
            Assert.True(await _backend.CompleteInAsync(task.Lease, default, transaction));
            await transaction.CommitAsync();
        }

        Assert.Equal(TaskState.Succeeded, (await _backend.GetResultAsync(id, TimeSpan.Zero))!.State);
    }

    [Theory]
    [MemberData(nameof(Levels))]
    public async Task A_task_that_was_enqueued_since_the_snapshot_is_found(IsolationLevel level)
    {
        await using var connection = await ConnectAsync();
        var id = await _backend.NewIdAsync();
        await using var transaction = await connection.BeginTransactionAsync(level);
        await LookAsync(transaction);
        await _backend.EnqueueAsync([Some with { Id = id }]);

        Assert.False(await EnqueueInAsync(transaction, id));
        await transaction.CommitAsync();
    }

    [Theory]
    [MemberData(nameof(Levels))]
    public async Task A_task_that_has_ended_since_the_snapshot_is_not_started_again(IsolationLevel level)
    {
        await using var connection = await ConnectAsync();
        var owner = await BeginAsync();
        var id = await _backend.NewIdAsync();
        await using var transaction = await connection.BeginTransactionAsync(level);
        await LookAsync(transaction);
        await _backend.EnqueueAsync([Some with { Id = id }]);
        Assert.True(await _backend.MarkSuccessAsync(Assert.Single(await TakeAsync(owner)).Lease, default));

        Assert.False(await EnqueueInAsync(transaction, id));
        await transaction.CommitAsync();
        Assert.Empty(await TakeAsync(owner));
    }

    [Theory]
    [MemberData(nameof(Levels))]
    public async Task Callers_who_race_with_one_id_make_one_task_also_when_it_ends_meanwhile(IsolationLevel level)
    {
        var runs = new ConcurrentDictionary<TaskId, int>();
        await using var worker = new TaskWorker(
            _backend, new TaskHandlers().Add<Count, int>((_, context) => runs.AddOrUpdate(context.Id, 1, (_, times) => times + 1)));
        await worker.StartAsync();
        var count = new NewTask { Name = "count", Payload = """{"Number":1}"""u8.ToArray() };
        for (var round = 0; round < 10; round++)
        {
            var id = await _backend.NewIdAsync();
            var isNew = await Task.WhenAll(Enumerable.Range(0, 8).Select(caller => Task.Run(async () =>
            {
                if (caller == 0)
                {
                    return Assert.Single(await _backend.EnqueueAsync([count with { Id = id }])).IsNew;
                }

                await using var connection = await ConnectAsync();
                while (true)
                {
                    try
                    {
                        await using var transaction = await connection.BeginTransactionAsync(level);
                        await LookAsync(transaction);
                        var enqueued = Assert.Single(await _backend.EnqueueInAsync([count with { Id = id }], transaction));
                        await transaction.CommitAsync();
                        return enqueued.IsNew;
                    }
                    catch (PostgresException e) when (level == IsolationLevel.Serializable && e.SqlState == PostgresErrorCodes.SerializationFailure)
                    {
                        // Who asks for that level tries again.
                    }
                    catch (BackendBusyException) when (level == IsolationLevel.Serializable)
                    {
                        // The same.
                    }
                }
            })));

            Assert.Single(isNew, one => one);
            Assert.Equal(TaskState.Succeeded, (await _backend.GetResultAsync(id, Eventually.Bound))!.State);
        }

        await worker.StopAsync();
        Assert.Equal(10, runs.Count);
        Assert.All(runs.Values, times => Assert.Equal(1, times));
        Assert.Equal(0L, await PostgresServer.ExecuteAsync(server.ConnectionString(), $"select count(*) from {_options.Schema}.errand_tasks"));
    }

    /// <summary>The turns choose their own level: what they rely on is that each statement sees what was committed before it.</summary>
    [Theory]
    [InlineData("repeatable read")]
    [InlineData("serializable")]
    public async Task The_default_level_of_the_database_is_not_that_of_the_turns(string level)
    {
        await PostgresServer.ExecuteAsync(server.ConnectionString(), $$"""
            create function {{_options.Schema}}.check_level() returns trigger language plpgsql
            as $$ begin if current_setting('transaction_isolation') <> 'read committed' then raise 'wrong level'; end if; return null; end $$;
            create trigger check_level after insert or update or delete on {{_options.Schema}}.errand_tasks
            for each statement execute function {{_options.Schema}}.check_level()
            """);
        await using var backend = new PostgresBackend(
            $"{server.ConnectionString()};Options=-c default_transaction_isolation={level.Replace(" ", @"\ ", StringComparison.Ordinal)}",
            _options);
        var owner = await backend.BeginWorkerAsync(new WorkerRegistration { Lease = TimeSpan.FromSeconds(30), TaskNames = ["a"] });

        await backend.EnqueueAsync([Some]);

        var request = new ReserveRequest { Owner = owner, MaxTasks = 1, Wait = TimeSpan.Zero };
        Assert.True(await backend.MarkSuccessAsync(Assert.Single(await backend.ReserveAsync(request)).Lease, default));
    }
}
