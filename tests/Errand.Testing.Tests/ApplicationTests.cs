using System.Globalization;
using System.Net;
using Errand.ShopApp;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Time.Testing;

namespace Errand.Testing.Tests;

/// <summary>A whole application, with its own registrations.</summary>
public sealed class ApplicationTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private static async Task<string> PostAsync(HttpClient client, string path)
    {
        using var answer = await client.PostAsync(new Uri(path, UriKind.Relative), null, Token);
        answer.EnsureSuccessStatusCode();
        return await answer.Content.ReadAsStringAsync(Token);
    }

    [Fact]
    public async Task The_handlers_of_an_application_run_when_its_tasks_are_drained()
    {
        await using var shop = new ShopFactory();
        using var client = shop.CreateShop();

        var order = int.Parse(await PostAsync(client, "/orders?mail=ada@example.org&fail=false"), CultureInfo.InvariantCulture);

        Assert.Equal(order, shop.Tasks.AssertEnqueued<SendConfirmation>().Payload.Order);
        Assert.Equal("1", await client.GetStringAsync(new Uri("/waiting", UriKind.Relative), Token));
        Assert.Empty(shop.Sent);
        Assert.Equal(1, await shop.Tasks.DrainAsync(Token));
        Assert.Equal(["ada@example.org attempt 1 in default"], shop.Sent);
        Assert.Equal("0", await client.GetStringAsync(new Uri("/waiting", UriKind.Relative), Token));
        Assert.False(Directory.Exists("production"));
    }

    [Fact]
    public async Task Every_worker_of_an_application_is_drained()
    {
        await using var shop = new ShopFactory();
        using var client = shop.CreateShop();
        await PostAsync(client, "/reports/2026");
        await PostAsync(client, "/orders?mail=ada@example.org&fail=false");

        Assert.Equal(2, await shop.Tasks.DrainAsync(Token));

        Assert.Equal(["ada@example.org attempt 1 in default", "report 2026"], shop.Sent.Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task Every_keyed_queue_of_an_application_has_a_test_of_its_own_on_the_same_clock()
    {
        await using var shop = new ShopFactory();
        using var client = shop.CreateShop();
        await PostAsync(client, "/audit/login");
        var audit = shop.Services.GetRequiredKeyedService<ErrandTest>("audit");

        Assert.Same(audit.Clock, shop.Tasks.Clock);
        Assert.Equal(0, await shop.Tasks.DrainAsync(Token));
        audit.AssertEnqueued<Audit>(task => task.Payload.What == "login");
        shop.Tasks.AssertNotEnqueued<Audit>();
        Assert.Equal(1, await audit.AdvanceAsync(TimeSpan.FromHours(1), Token));
        Assert.Equal(["audit login"], shop.Sent);
    }

    [Fact]
    public void The_clock_begins_now_unless_the_application_has_a_fake_one()
    {
        using var now = new ShopFactory();
        Assert.InRange(now.Tasks.Clock.GetUtcNow(), DateTimeOffset.UtcNow.AddMinutes(-5), DateTimeOffset.UtcNow);

        var fake = new FakeTimeProvider();
        using var applications = new ShopFactory(configure: services => services.AddSingleton<TimeProvider>(fake));
        Assert.Same(fake, applications.Tasks.Clock);

        using var given = new ShopFactory(new ErrandTestOptions { Clock = fake });
        Assert.Same(fake, given.Tasks.Clock);
    }

    [Fact]
    public async Task A_handler_is_run_alone_with_the_services_of_the_application()
    {
        await using var shop = new ShopFactory();
        using var client = shop.CreateShop();
        var order = int.Parse(await PostAsync(client, "/orders?mail=ada@example.org&fail=false"), CultureInfo.InvariantCulture);

        await shop.Tasks.RunAsync(new SendConfirmation(order), new EnqueueOptions { Queue = "mail" }, Token);
        var missing = await Assert.ThrowsAsync<KeyNotFoundException>(() => shop.Tasks.RunAsync(new SendConfirmation(99), null, Token));

        Assert.Equal("There is no order 99.", missing.Message);
        Assert.Equal(["ada@example.org attempt 1 in mail"], shop.Sent);
        Assert.Equal(order, shop.Tasks.AssertEnqueued<SendConfirmation>().Payload.Order); // That of the request alone.
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Testing_may_be_added_before_and_after(bool before)
    {
        var builder = Host.CreateEmptyApplicationBuilder(null);
        if (before)
        {
            builder.Services.AddErrandTesting();
        }

        builder.AddErrand(errand => errand.AddHandler((Twice task, TaskContext _) => task.Number * 2)); // No store at all.
        if (!before)
        {
            builder.Services.AddErrandTesting();
        }

        using var host = builder.Build();
        await host.StartAsync(Token);
        var test = host.Services.GetRequiredService<ErrandTest>();
        var handle = await host.Services.GetRequiredService<ITaskQueue>().EnqueueAsync(new Twice(21), null, Token);

        Assert.Equal(1, await test.DrainAsync(Token));
        Assert.Equal(42, test.ResultOf(handle));
        await host.StopAsync(Token);
    }

    [Fact]
    public void Options_that_are_the_applications_are_refused()
    {
        var services = new ServiceCollection();
        var options = new ErrandTestOptions { Worker = new TaskWorkerOptions(), Queue = new TaskQueueOptions { MaxPayloadBytes = 1 } };
        var e = Assert.Throws<InvalidOptionsException>(() => services.AddErrandTesting(options));
        Assert.Equal(2, e.Problems.Count);
    }

    [Fact]
    public void A_host_without_AddErrand_is_told_so()
    {
        using var provider = new ServiceCollection().AddErrandTesting().BuildServiceProvider();
        var e = Assert.Throws<InvalidOperationException>(provider.GetRequiredService<ErrandTest>);
        Assert.Contains("AddErrand", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_failed_save_enqueues_nothing()
    {
        await using var shop = new ShopFactory();
        using var client = shop.CreateShop();

        using var answer = await client.PostAsync(new Uri("/orders?mail=ada@example.org&fail=true", UriKind.Relative), null, Token);

        Assert.Equal(HttpStatusCode.InternalServerError, answer.StatusCode);
        shop.Tasks.AssertNotEnqueued<SendConfirmation>();
        Assert.Equal(0, await shop.Tasks.DrainAsync(Token));
    }

    [Theory]
    [InlineData("/orders/in-transaction", true, 1)]
    [InlineData("/orders/in-transaction", false, 0)]
    [InlineData("/orders/by-hand", true, 1)]
    [InlineData("/orders/by-hand", false, 0)]
    public async Task A_task_of_a_transaction_is_there_if_that_commits(string path, bool commits, int tasks)
    {
        await using var shop = new ShopFactory();
        using var client = shop.CreateShop();

        await PostAsync(client, $"{path}?commit={commits}");

        Assert.Equal(tasks, shop.Tasks.Enqueued<SendConfirmation>().Count);
        Assert.Equal(tasks, await shop.Tasks.DrainAsync(Token));
    }

    [Fact]
    public async Task A_handler_completes_its_task_in_its_own_transaction()
    {
        await using var shop = new ShopFactory();
        using var client = shop.CreateShop();

        Assert.Equal(3, await shop.Tasks.RunAsync(new Import(3, Commit: true), null, Token));

        var e = await Assert.ThrowsAsync<TaskFailedException>(() => shop.Tasks.RunAsync(new Import(3, Commit: false), null, Token));
        Assert.Contains("was not committed", e.Message, StringComparison.Ordinal);
    }
}
