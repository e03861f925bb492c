using System.Reflection;
using System.Text.Json.Nodes;
using Errand.Sqlite;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace Errand.Hosting.Tests;

/// <summary>Options from the configuration and from code, and what is said of those that cannot work.</summary>
public sealed class ConfigurationTests : HostTest
{
    private async Task<InvalidOptionsException> RefusedAsync(
        Action<ErrandBuilder> configure, params (string Name, string? Value)[] configuration)
    {
        var builder = NewBuilder(configuration);
        builder.Services.AddErrand(configure);
        return await Assert.ThrowsAsync<InvalidOptionsException>(() => StartAsync(builder));
    }

    [Fact]
    public async Task Options_come_from_the_configuration()
    {
        var builder = NewBuilder(
            ("Errand:Sqlite:Path", Database), ("Errand:Sqlite:Durability", "relaxed"), ("Errand:Queue:MaxPayloadBytes", "20"),
            ("Errand:Worker:Queues:0", "mail*=6"), ("Errand:Worker:Queues:1", "default"), ("Errand:Worker:Concurrency", "3"));
        builder.Services.AddErrand(errand => errand.UseSqlite().AddHandler<GreetHandler>());
        var host = await StartAsync(builder);

        Assert.Equal(Database, Assert.IsType<SqliteBackend>(host.Services.GetRequiredService<IBackend>()).Path);
        Assert.Contains(Log.Entries, entry => entry.Id == 100 && entry.Text.Contains("3 handlers at once on mail*=6, default", StringComparison.Ordinal));
        await Assert.ThrowsAsync<ArgumentException>(() => Queue(host).EnqueueAsync(new Greet(new string('x', 20))));
        Assert.Equal("Hello, Ada", await RunAsync(host, new Greet("Ada"), new EnqueueOptions { Queue = "mail" }));
    }

    [Fact]
    public async Task Code_that_changes_options_is_applied_after_the_configuration()
    {
        var builder = NewBuilder(("Errand:Worker:Concurrency", "3"), ("Errand:Worker:Queues:0", "mail"));
        builder.Services.AddErrand(errand => errand
            .ConfigureWorker(worker => worker with { Concurrency = worker.Concurrency + 4 })
            .ConfigureQueue(queue => queue with { MaxPayloadBytes = 20 })
            .UseSqlite(Database, sqlite => sqlite with { Durability = Durability.Relaxed })
            .AddHandler<GreetHandler>());
        var host = await StartAsync(builder);

        Assert.Equal(Database, Assert.IsType<SqliteBackend>(host.Services.GetRequiredService<IBackend>()).Path);
        Assert.Contains(Log.Entries, entry => entry.Id == 100 && entry.Text.Contains("7 handlers at once on mail", StringComparison.Ordinal));
        await Assert.ThrowsAsync<ArgumentException>(() => Queue(host).EnqueueAsync(new Greet(new string('x', 20))));
    }

    [Fact]
    public async Task Everything_that_is_wrong_is_told_in_one_message()
    {
        var refused = await RefusedAsync(
            errand => errand
                .UseSqlite(configure: sqlite => sqlite with { Retention = TimeSpan.Zero })
                .AddHandler<GreetHandler>().AddHandler((Greet task, TaskContext _) => task.Name)
                .AddHandler((Ping task, TaskContext _, Random random) => Task.CompletedTask)
                .ConfigureQueue(queue => queue with { MaxPayloadBytes = 0 }),
            ("Errand:Worker:Concurrency", "many"), ("Errand:Worker:Lease", "5"), ("Errand:Worker:Heartbeat", "00:01:00"),
            ("Errand:Worker:Queues", "mail"), ("Errand:Worker:Quues:0", "mail"), ("Errand:Sqlite:Durability", "1"),
            ("Errand:Sqlite:BusyTimeout", "-00:00:01"), ("Errand:Health:MaxWaiting", "00:00:00"));

        Assert.Equal(
            [
                "Errand:Queue:MaxPayloadBytes is 0; allowed is 1 byte to 256 MiB",
                "Errand:Worker:Queues is 'mail'; allowed is a list (Errand:Worker:Queues:0 and so on)",
                "Errand:Worker:Concurrency is 'many'; allowed is a whole number",
                "Errand:Worker:Lease is '5'; allowed is a duration such as 00:00:30 or 7.00:00:00",
                "Errand:Worker:Quues:0 is no option; there are Queues, Concurrency, Lease, Heartbeat, ShutdownGrace, MaxResultBytes, KeepLogs, RequireTaskName",
                "Errand:Worker:Lease is 00:00:30 but Heartbeat is 00:01:00; make the heartbeat at most half as long",
                "'Errand.Hosting.Tests.Greet' (task name 'greet') has a handler already; each payload takes one",
                "Errand:Health:MaxWaiting is 00:00:00; allowed is 1 second to 365 days",
                "the handler of Ping asks for Random, which is not registered",
                "Errand:Sqlite:Path is missing; give UseSqlite one, or configure it",
                "Errand:Sqlite:Retention is 00:00:00; allowed is 1 second to 3,650 days",
                "Errand:Sqlite:BusyTimeout is -00:00:01; allowed is 1 ms to 10 minutes",
                "Errand:Sqlite:Durability is '1'; allowed is Full or Relaxed",
            ],
            refused.Problems);
        Assert.Equal(
            ["AddErrand has 13 problems:", .. refused.Problems.Select(problem => $"- {problem}.")], refused.Message.Split('\n'));
    }

    [Fact]
    public async Task A_host_without_backend_and_handlers_is_told_both()
    {
        var refused = await RefusedAsync(_ => { });
        Assert.Equal(
            [
                "there is no handler; add one (AddHandler), or call WithoutWorker where tasks are only enqueued",
                "there is no backend; add one, such as UseSqlite(\"tasks.db\")",
            ],
            refused.Problems);
    }

    [Fact]
    public async Task A_queue_or_weight_that_cannot_be_is_told_with_what_is_allowed()
    {
        var refused = await RefusedAsync(errand => errand.UseSqlite(":memory:").AddHandler<GreetHandler>().ConfigureWorker(options =>
            options with { Queues = ["a b", new("mail", 0), "mail", "*x*"] }));

        Assert.Equal(
            [
                "Errand:Worker:Queues holds the character U+0020; allowed are 1 to 128 letters, digits and . _ - : /",
                "Errand:Worker:Queues gives 'mail' the weight 0; allowed is 1 to 1,000 (as in mail=6)",
                "Errand:Worker:Queues holds the character U+002A; allowed are 1 to 128 letters, digits and . _ - : /",
                "Errand:Worker:Queues names 'mail' 2 times; once is enough, its weight says how often it is served",
            ],
            refused.Problems);
    }

    /// <summary>An option that is added later must be added to what is read.</summary>
    [Fact]
    public void Every_option_that_a_text_can_say_is_read_from_the_configuration()
    {
        Assert.Equal(Names(typeof(TaskQueueOptions)), Read(values => new TaskQueueOptions().With(values)));
        Assert.Equal(Names(typeof(TaskWorkerOptions)), Read(values => new TaskWorkerOptions().With(values)));
        Assert.Equal(Names(typeof(ErrandHealthOptions)), Read(values => new ErrandHealthOptions().With(values)));
        Assert.Equal(Names(typeof(SqliteBackendOptions)), Read(values => new SqliteBackendOptions().With(values)));

        static IEnumerable<string> Names(Type options) => options
            .GetProperties(BindingFlags.Instance | BindingFlags.Public).Select(property => property.Name)
            .Where(name => name is not ("Json" or "Defaults" or "TimeProvider" or "OnFailure" or "Middleware" or "FailureHandlers"));
    }

    private static string[] Read(Action<OptionValues> read)
    {
        var values = new OptionValues("x", [KeyValuePair.Create<string, string?>("", "")]);
        read(values);
        return Assert.Single(values.Problems).Split("there are ")[1].Split(", ");
    }

    /// <summary>Editors complete and check by it.</summary>
    [Fact]
    public void The_schema_of_appsettings_has_every_option_and_no_other()
    {
        var schema = JsonNode.Parse(System.IO.File.ReadAllText(
            Path.Combine(TestKit.RepositoryRoot.Path, "src/Errand.Hosting/ConfigurationSchema.json")))!;
        Assert.Equal(Sorted(Read(values => new TaskQueueOptions().With(values))), Options("errandQueue"));
        Assert.Equal(Sorted(Read(values => new TaskWorkerOptions().With(values))), Options("errandWorker"));
        Assert.Equal(Sorted(Read(values => new ErrandHealthOptions().With(values))), Options("errandHealth"));
        Assert.Equal(
            Sorted(["Path", "ConnectionName", .. Read(values => new SqliteBackendOptions().With(values))]), Options("errandSqlite"));
        Assert.Equal(
            Sorted(["ConnectionString", "ConnectionName", .. Read(values => new PostgreSql.PostgresBackendOptions().With(values))]),
            Options("errandPostgres"));
        Assert.Equal(Sorted(Read(values => TaskDefaults.None.With(values))), Options("errandDefaults"));
        string[] sections = ["Queue", "Defaults", "Worker", "Workers", "Health", "WaitForStore", "Sqlite", "Postgres"];
        Assert.Equal(Sorted(sections), Names(schema["properties"]!["Errand"]!));
        Assert.Equal(Sorted(sections), Options("errandQueueOfKey"));

        IEnumerable<string> Options(string definition) => Names(schema["definitions"]![definition]!);

        static IEnumerable<string> Names(JsonNode node) => Sorted(node["properties"]!.AsObject().Select(one => one.Key));

        static IEnumerable<string> Sorted(IEnumerable<string> names) => names.Order(StringComparer.Ordinal);
    }
}
