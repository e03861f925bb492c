using System.Net;
using System.Net.Http.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Errand.Tests;

/// <summary>A minimal API takes a <see cref="TaskId"/> from its route and query and gives it back as JSON, as if it were a number.</summary>
public sealed class TaskIdRouteTests : IAsyncDisposable
{
    private readonly WebApplication _app;
    private readonly HttpClient _client = new();

    public TaskIdRouteTests()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        builder.Logging.ClearProviders();
        _app = builder.Build();
        _app.MapGet("/tasks/{id}", (TaskId id, TaskId? before) => new { id, before });
    }

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public async ValueTask DisposeAsync()
    {
        _client.Dispose();
        await _app.DisposeAsync();
    }

    [Theory]
    [InlineData("/tasks/7", HttpStatusCode.OK, """{"id":7,"before":null}""")]
    [InlineData("/tasks/7?before=12", HttpStatusCode.OK, """{"id":7,"before":12}""")]
    [InlineData("/tasks/seven", HttpStatusCode.BadRequest, "")]
    [InlineData("/tasks/7?before=x", HttpStatusCode.BadRequest, "")]
    [InlineData("/tasks/9223372036854775808", HttpStatusCode.BadRequest, "")]
    public async Task An_id_binds_from_a_route_and_a_query(string path, HttpStatusCode status, string body)
    {
        await _app.StartAsync(Token);
        _client.BaseAddress = new Uri(_app.Urls.Single());

        using var answer = await _client.GetAsync(new Uri(path, UriKind.Relative), Token);

        Assert.Equal(status, answer.StatusCode);
        Assert.Equal(body, await answer.Content.ReadAsStringAsync(Token));
    }
}
