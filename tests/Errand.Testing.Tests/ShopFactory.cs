using Errand.ShopApp;
using Errand.TestKit;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Mvc.Testing;
using Microsoft.AspNetCore.TestHost;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Errand.Testing.Tests;

/// <summary>The application with a database of the test's own, and its tasks under test.</summary>
public sealed class ShopFactory(ErrandTestOptions? options = null, Action<IServiceCollection>? configure = null)
    : WebApplicationFactory<Shop>
{
    private readonly TemporaryFolder _folder = new();

    public string ConnectionString => $"Data Source={_folder.File("shop.db")};Pooling=False";

    public ErrandTest Tasks => Services.GetRequiredService<ErrandTest>();

    public IReadOnlyList<string> Sent => Services.GetRequiredService<Outbox>().Sent;

    public HttpClient CreateShop()
    {
        var client = CreateClient();
        using var scope = Services.CreateScope();
        scope.ServiceProvider.GetRequiredService<Shop>().Database.EnsureCreated();
        return client;
    }

    protected override void ConfigureWebHost(IWebHostBuilder builder)
    {
        builder.UseSetting("ConnectionStrings:Shop", ConnectionString);
        builder.ConfigureLogging(logging => logging.ClearProviders());
        builder.ConfigureTestServices(services =>
        {
            services.AddErrandTesting(options);
            configure?.Invoke(services);
        });
    }

    protected override void Dispose(bool disposing)
    {
        base.Dispose(disposing);
        if (disposing)
        {
            _folder.Dispose();
        }
    }
}
