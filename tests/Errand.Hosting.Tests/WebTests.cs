using System.Net;
using System.Net.Http.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Errand.Hosting.Tests;

/// <summary>Errand in ASP.NET Core.</summary>
public sealed class WebTests
{
    [Fact]
    public async Task I_can_enqueue_from_an_endpoint_and_wait_for_the_result()
    {
        var builder = WebApplication.CreateBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        builder.Services.AddErrand(errand => errand.UseSqlite(":memory:").AddHandler<GreetHandler>());
        builder.Services.AddHealthChecks().AddErrand();
        await using var app = builder.Build();
        app.MapPost("/greet/{name}", async (string name, ITaskQueue queue) =>
            await (await queue.EnqueueAsync(new Greet(name))).WaitAsync(TimeSpan.FromSeconds(30)));
        app.MapHealthChecks("/health");
        await app.StartAsync();
        using var client = new HttpClient { BaseAddress = new Uri(app.Urls.Single()) };

        var answer = await client.PostAsync(new Uri("/greet/Ada", UriKind.Relative), null);
        Assert.Equal((HttpStatusCode.OK, "Hello, Ada"), (answer.StatusCode, await answer.Content.ReadAsStringAsync()));
        Assert.Equal("Healthy", await client.GetStringAsync(new Uri("/health", UriKind.Relative)));
        await app.StopAsync();
    }
}
