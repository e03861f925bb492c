using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;
using Errand.PostgreSql.Data;
using Errand.PostgreSql.Enqueue;
using Errand.PostgreSql.Reserve;
using Errand.PostgreSql.Settle;
using Errand.PostgreSql.Upkeep;
using Errand.PostgreSql.Workers;
using Npgsql;

namespace Errand.PostgreSql.Tests;

/// <summary>Reserve and settle stay on their indexes, whatever is in the table and however old its statistics are.</summary>
public sealed partial class QueryPlanTests(PostgresServer server, ITestOutputHelper output) : IAsyncLifetime
{
    private static readonly (string Name, string Type)[] ReserveTypes =
    [
        ("now", "bigint"), ("owner", "bigint"), ("turn", "bigint"), ("queue", "int"), ("names", "int[]"), ("floor_rank", "int"), ("floor_due", "bigint"),
        ("floor_id", "bigint"), ("count", "int"),
    ];

    private static readonly (string Name, string Type)[] SettleTypes =
    [
        ("ids", "bigint[]"), ("owners", "bigint[]"), ("epochs", "bigint[]"), ("results", "bytea[]"), ("now", "bigint"),
    ];

    private readonly string _schema = PostgresServer.NewSchema();
    private NpgsqlConnection _connection = null!;

    public async ValueTask InitializeAsync()
    {
        await using (var backend = new PostgresBackend(server.ConnectionString(), new PostgresBackendOptions { Schema = _schema }))
        {
            await backend.InitializeAsync();
        }

        _connection = new NpgsqlConnection(server.ConnectionString());
        await _connection.OpenAsync();
        await RunAsync($"alter table {_schema}.errand_tasks set (autovacuum_enabled = false)");
        await PrepareAsync("reserve", Reserving.ReserveSql, ReserveTypes);
        await PrepareAsync(
            "reserve_each", Reserving.ReserveEachSql,
            [
                ("now", "bigint"), ("owner", "bigint"), ("turn", "bigint"), ("names", "int[]"), ("queues", "int[]"), ("floor_ranks", "int[]"),
                ("floor_dues", "bigint[]"), ("floor_ids", "bigint[]"), ("count", "int"),
            ]);
        await PrepareAsync("settle", Settling.ArchiveSuccessSql, SettleTypes);
    }

    public async ValueTask DisposeAsync() => await _connection.DisposeAsync();

    [Fact]
    public async Task Over_an_empty_table_that_was_never_analyzed_and_then_filled()
    {
        await UseIndexesAsync();
        await InsertAsync(1, 100_000, 10);
        await UseIndexesAsync();
    }

    [Fact]
    public async Task Over_a_table_that_was_analyzed_empty_and_then_filled()
    {
        await RunAsync($"vacuum analyze {_schema}.errand_tasks");
        await InsertAsync(1, 100_000, 10);
        await UseIndexesAsync();
    }

    [Fact]
    public async Task Over_a_hundred_thousand_pending_tasks()
    {
        await InsertAsync(1, 100_000, 10);
        await RunAsync($"vacuum analyze {_schema}.errand_tasks");
        await UseIndexesAsync();
    }

    [Fact]
    public async Task Over_a_hundred_thousand_running_tasks_and_then_as_many_pending()
    {
        await InsertAsync(1, 100_000, 12);
        await RunAsync($"vacuum analyze {_schema}.errand_tasks");
        await UseIndexesAsync();
        await InsertAsync(200_000, 100_000, 10);
        await UseIndexesAsync();
    }

    /// <summary>
    /// Errand's own vacuum counts the rows and leaves the statistics alone. The planner then takes a few of a million tasks to be ready,
    /// and sorting those costs it about as much as reading them in order.
    /// </summary>
    [Theory]
    [InlineData("reset seq_page_cost")]
    [InlineData("set seq_page_cost = 0.1")]
    public async Task Over_a_million_scheduled_tasks_that_were_vacuumed_and_never_analyzed(string costs)
    {
        await RunAsync(costs);
        await InsertAsync(1, 1_000_000, 11);
        await InsertAsync(2_000_000, 50_000, 10);
        await RunAsync($"vacuum {_schema}.errand_tasks");
        await UseIndexesAsync();
    }

    [Fact]
    public async Task Amid_four_hundred_thousand_dead_rows_under_an_old_snapshot()
    {
        await using var old = new NpgsqlConnection(server.ConnectionString());
        await old.OpenAsync();
        await using var snapshot = await old.BeginTransactionAsync(System.Data.IsolationLevel.RepeatableRead);
        await using (var look = new NpgsqlCommand($"select count(*) from {_schema}.errand_tasks", old, snapshot))
        {
            await look.ExecuteScalarAsync();
        }

        await InsertAsync(1, 400_000, 10);
        await RunAsync($"update {_schema}.errand_tasks set state = 12, owner = 7");
        await RunAsync($"delete from {_schema}.errand_tasks");
        await InsertAsync(500_000, 1_000, 10);
        await RunAsync($"vacuum analyze {_schema}.errand_tasks");
        await UseIndexesAsync();

        var without = await MillisecondsAsync(Reserve(0, 1));
        var with = await MillisecondsAsync(Reserve(500_000, 1));
        output.WriteLine($"reserve of 1: {without:F2} ms, with a floor {with:F2} ms");
        Assert.True(with < without / 2, $"A floor makes it quick: {with} ms with, {without} ms without.");
    }

    /// <summary>Statement by statement: its parameters' types, and the values that they have.</summary>
    public static TheoryData<string, string, string> UpkeepStatements => new()
    {
        { Promotion.PromoteSql, "now bigint, floor bigint, count int", "null, 0, 500" },
        { Promotion.PromoteUrgentSql, "now bigint, ranks int, count int", "null, 32, 500" },
        { Promotion.NextDueSql, "now bigint, floor bigint", "null, 0" },
        { Expiry.ExpireSql, "now bigint, count int", "null, 500" },
        { Expiry.NextExpirySql, "now bigint", "null" },
        { Retention.PruneSql, "now bigint, state smallint, retention bigint, count int", "null, 20::smallint, 60000, 1000" },
        { UniqueKeys.PrunePeriodsSql, "now bigint, count int", "null, 1000" },
        { Cancellation.SelectCancelledSql, "ours bigint[]", "'{7}'" },
        { Sweep.DeleteExpiredSql, "now bigint, gap bigint, pause bigint, ours bigint[]", "null, 2000, 500, '{7}'" },
    };

    [Theory]
    [MemberData(nameof(UpkeepStatements))]
    public async Task Upkeep_reads_next_to_nothing_of_a_hundred_thousand_rows_that_are_not_due(string sql, string types, string values)
    {
        var parameters = types.Split(", ").Select(one => one.Split(' ')).Select(one => (one[0], one[1])).ToArray();
        await PrepareAsync("upkeep", sql, parameters);
        await FillWithWhatIsNotDueAsync();
        await CheckAsync("never analyzed");
        await RunAsync($"vacuum analyze {_schema}.errand_tasks, {_schema}.errand_finished, {_schema}.errand_unique_periods");
        await CheckAsync("analyzed");

        async Task CheckAsync(string how)
        {
            foreach (var (setting, mode) in new[]
            {
                (PostgresStore.PlannerSql, "force_generic_plan"), (PostgresStore.PlannerSql, "force_custom_plan"),
                ("reset enable_seqscan; reset enable_sort; reset enable_mergejoin; reset jit", "force_custom_plan"),
            })
            {
                await RunAsync(setting);
                await RunAsync($"set plan_cache_mode = {mode}");
                await RunAsync("begin");
                var plan = await RunAsync($"explain (analyze, buffers) execute upkeep ({values})");
                await RunAsync("rollback");
                var buffers = RootBuffers().Match(plan).Groups["count"].Captures.Sum(one => int.Parse(one.Value, CultureInfo.InvariantCulture));
                Assert.True(buffers < 100, $"{how}, {mode}: {buffers} pages\n{plan}");
            }
        }
    }

    private Task<string> FillWithWhatIsNotDueAsync() => RunAsync($"""
        insert into {_schema}.errand_tasks (id, owner, epoch, due, enqueued, started, turn, expires, attempt, rank, queue, name, max_attempts, state, payload)
        select i, case when i % 2 = 0 then 7 else 0 end, 1, t.now + 86400000 + i, t.now, t.now, 1, case when i % 2 = 1 then t.now + 86400000 + i end,
               1, -1, 1, 1, 5, case when i % 2 = 0 then 12 else 11 end, 'x'
        from   generate_series(1, 100000) as i, (select {_schema}.errand_now_ms(null) as now) t;
        insert into {_schema}.errand_finished (id, owner, epoch, due, enqueued, started, finished, attempt, rank, queue, name, state)
        select 1000000 + i, 7, 1, t.now, t.now, t.now, t.now + i, 1, -1, 1, 1, 20
        from   generate_series(1, 100000) as i, (select {_schema}.errand_now_ms(null) as now) t;
        insert into {_schema}.errand_unique_periods (name, key, id, until)
        select 1, 'k' || i, 2000000 + i, t.now + 86400000 + i
        from   generate_series(1, 100000) as i, (select {_schema}.errand_now_ms(null) as now) t;
        """);

    /// <summary>With a plan that is kept, and, as behind a pooler, with one that is made each time.</summary>
    private async Task UseIndexesAsync()
    {
        await RunAsync(PostgresStore.PlannerSql);
        foreach (var mode in (string[])["force_generic_plan", "force_custom_plan"])
        {
            await RunAsync($"set plan_cache_mode = {mode}");
            var reserve = await RunAsync("explain " + Reserve(0, 10));
            Assert.True(
                reserve.Contains("errand_tasks_ready", StringComparison.Ordinal) && reserve.Contains("errand_tasks_pkey", StringComparison.Ordinal)
                && !reserve.Contains("Seq Scan on errand_tasks", StringComparison.Ordinal)
                && !reserve.Contains("Sort", StringComparison.Ordinal), // A sort reads all that is ready, to take a few.
                $"{mode}:\n{reserve}");
            var each = await RunAsync(
                "explain execute reserve_each (null, 7, 1, array[1,2], array[1,2,3], array[-1,-1,-1], array[1,1,1], array[0,0,0], 10)");
            Assert.True(
                each.Contains("errand_tasks_ready", StringComparison.Ordinal) && each.Contains("errand_tasks_pkey", StringComparison.Ordinal)
                && !each.Contains("Seq Scan on errand_tasks", StringComparison.Ordinal)
                && !each.Contains("Sort", StringComparison.Ordinal),
                $"{mode}:\n{each}");
            var ids = string.Join(',', Enumerable.Range(1, 500));
            var settle = await RunAsync($$"""
                explain execute settle (
                    '{{{ids}}}', array_fill(7, array[500]), array_fill(1, array[500]), array_fill(''::bytea, array[500]), null)
                """);
            Assert.True(
                settle.Contains("Index Cond: (id = ANY", StringComparison.Ordinal) && (settle.Contains("Hash Cond", StringComparison.Ordinal) || settle.Contains("Merge Cond", StringComparison.Ordinal))
                && !settle.Contains("errand_tasks_running", StringComparison.Ordinal)
                && !settle.Contains("Seq Scan", StringComparison.Ordinal),
                $"{mode}:\n{settle}");
        }
    }

    /// <summary>Reserves from the place in the order on at which a task of that id stands.</summary>
    private static string Reserve(long floorId, int count) => $"execute reserve (null, 7, 1, 1, array[1,2], -1, 1, {floorId}, {count})";

    private Task<string> PrepareAsync(string name, string sql, (string Name, string Type)[] parameters)
    {
        var text = Parameter().Replace(
            sql.Replace("errand.", _schema + ".", StringComparison.Ordinal),
            match => "$" + (Array.FindIndex(parameters, one => one.Name == match.Groups["name"].Value) + 1));
        return RunAsync($"prepare {name} ({string.Join(", ", parameters.Select(one => one.Type))}) as {text}");
    }

    private Task<string> InsertAsync(int first, int count, int state) => RunAsync($"""
        insert into {_schema}.errand_tasks (id, owner, epoch, due, enqueued, started, turn, attempt, rank, queue, name, max_attempts, state, payload)
        select i, case when {state} = 12 then 7 else 0 end, 1, 1, 1, 1, 1, 1, -1, 1, 1, 5, {state}, convert_to(repeat('x', 100), 'UTF8')
        from   generate_series({first}, {first + count - 1}) as i
        """);

    private async Task<double> MillisecondsAsync(string execute)
    {
        var times = new List<double>();
        for (var i = 0; i < 5; i++)
        {
            var plan = await RunAsync("explain (analyze) " + execute);
            times.Add(double.Parse(ExecutionTime().Match(plan).Groups["ms"].Value, CultureInfo.InvariantCulture));
        }

        times.Sort();
        return times[2];
    }

    private async Task<string> RunAsync(string sql)
    {
        await using var command = new NpgsqlCommand(sql, _connection) { CommandTimeout = 120 };
        await using var reader = await command.ExecuteReaderAsync();
        var lines = new StringBuilder();
        while (await reader.ReadAsync())
        {
            lines.AppendLine(reader.GetString(0));
        }

        return lines.ToString();
    }

    [GeneratedRegex("@(?<name>[a-z_]+)", RegexOptions.ExplicitCapture, 1_000)]
    private static partial Regex Parameter();

    // The first line of buffers is the root's, which counts what all the nodes below it have read.
    [GeneratedRegex(@"\A.*?Buffers: shared( (hit|read|dirtied|written)=(?<count>\d+))+", RegexOptions.ExplicitCapture | RegexOptions.Singleline, 1_000)]
    private static partial Regex RootBuffers();

    [GeneratedRegex("Execution Time: (?<ms>[0-9.]+)", RegexOptions.ExplicitCapture, 1_000)]
    private static partial Regex ExecutionTime();
}
