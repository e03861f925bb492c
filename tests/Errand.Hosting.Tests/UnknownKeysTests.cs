using Microsoft.Extensions.DependencyInjection;

namespace Errand.Hosting.Tests;

/// <summary>Keys of the configuration that mean nothing are told, at whatever level they stand.</summary>
public sealed class UnknownKeysTests : HostTest
{
    private const string Sections = "there are Queue, Defaults, Worker, Workers, Health, WaitForStore, Sqlite, Postgres";

    private async Task<IReadOnlyList<string>> ProblemsAsync(params (string Name, string? Value)[] configuration)
    {
        var builder = NewBuilder(configuration);
        builder.Services
            .AddErrand(errand => errand.UseSqlite(":memory:").AddHandler<GreetHandler>().AddWorker("slow"))
            .AddErrand("reports", errand => errand.UseSqlite(":memory:").WithoutWorker());
        return (await Assert.ThrowsAsync<InvalidOptionsException>(() => StartAsync(builder))).Problems;
    }

    [Theory]
    [InlineData("Errand:Wroker:Concurrency", "Errand:Wroker is no section; " + Sections + ", reports")]
    [InlineData("Errand:Concurrency", "Errand:Concurrency is no section; " + Sections + ", reports")]
    [InlineData("Errand:report:Sqlite:Path", "Errand:report is no section; " + Sections + ", reports")]
    [InlineData("Errand:Workers:slwo:Concurrency", "Errand:Workers:slwo is no worker; there are slow")]
    [InlineData("Errand:Workers", "Errand:Workers is '4'; allowed is a section for each worker (Errand:Workers:slow:Concurrency and so on)")]
    [InlineData("Errand:Worker:Concurrency:Max", "Errand:Worker:Concurrency:Max is no option; Errand:Worker:Concurrency is a single value")]
    [InlineData("Errand:Worker:Queues:0:Name", "Errand:Worker:Queues:0:Name is no option; Errand:Worker:Queues is a list of texts")]
    [InlineData("Errand:Worker:Queues:first", "Errand:Worker:Queues:first is no option; Errand:Worker:Queues is a list of texts")]
    public async Task A_key_that_means_nothing_is_told_with_its_path(string key, string problem) =>
        Assert.Equal([problem], await ProblemsAsync((key, "4")));

    [Theory]
    [InlineData("Errand:Workers:slow:Concurency", "Errand:Workers:slow:Concurency is no option; there are Queues, ")]
    [InlineData("Errand:Sqlite:File", "Errand:Sqlite:File is no option; there are Path, ")]
    public async Task An_option_that_there_is_not_is_told_with_those_that_there_are(string key, string problem) =>
        Assert.StartsWith(problem, Assert.Single(await ProblemsAsync((key, "4"))), StringComparison.Ordinal);

    [Fact]
    public async Task A_key_among_the_sections_of_a_keyed_queue_is_told()
    {
        var builder = NewBuilder(("Errand:reports:Wroker:Concurrency", "4"), ("Errand:Sqlite:Path", "not-ours.db"));
        builder.Services.AddErrand("reports", errand => errand.UseSqlite(":memory:").WithoutWorker());
        var refused = await Assert.ThrowsAsync<InvalidOptionsException>(() => StartAsync(builder));
        Assert.Equal([$"Errand:reports:Wroker is no section; {Sections}"], refused.Problems);
    }

    [Fact]
    public async Task A_configuration_may_have_the_section_of_the_store_that_is_not_used()
    {
        var builder = NewBuilder(("Errand:Postgres:ConnectionString", "Host=db"), ("Errand:Sqlite:Path", Database), ("Errand:WaitForStore", "00:00:10"));
        builder.Services.AddErrand(errand => errand.UseSqlite().WithoutWorker());
        await StartAsync(builder);
    }
}
