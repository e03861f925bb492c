using Errand.Testing;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Mvc.Testing;
using Microsoft.AspNetCore.TestHost;
using Microsoft.Extensions.DependencyInjection;

namespace ShopTests;

public sealed class ShopFactory : WebApplicationFactory<Program>
{
    public ErrandTest Tasks => Services.GetRequiredService<ErrandTest>();

    protected override void ConfigureWebHost(IWebHostBuilder builder) =>
        builder.ConfigureTestServices(services => services.AddErrandTesting());
}

public class UnitTest1
{
    [Fact]
    public async Task A_signup_sends_a_welcome_after_an_hour_and_tries_twice()
    {
        await using var shop = new ShopFactory();
        using var client = shop.CreateClient();

        (await client.PostAsync("/signup?mail=ada@example.org", null)).EnsureSuccessStatusCode();
        shop.Tasks.AssertEnqueued<SendWelcome>(task => task.Payload.To == "ada@example.org");
        Assert.Equal(0, await shop.Tasks.DrainAsync());

        Assert.Equal(2, await shop.Tasks.AdvanceAsync(TimeSpan.FromHours(2)));
        Assert.Equal(["ada@example.org", "ada@example.org"], shop.Services.GetRequiredService<Mailbox>().Sent);
        Assert.IsType<IOException>(shop.Tasks.Attempts[0].Exception);
    }
}
