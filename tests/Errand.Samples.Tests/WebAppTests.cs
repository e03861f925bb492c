using System.Net;
using System.Net.Http.Json;
using System.Net.Sockets;
using Errand.TestKit;

namespace Errand.Samples.Tests;

public sealed class WebAppTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly HttpClient _client = new();

    public void Dispose()
    {
        _client.Dispose();
        _folder.Dispose();
    }

    /// <summary>Starts the sample on a port of its own, and waits until it answers. It keeps its tasks in the test's folder.</summary>
    private async Task<(RunningProgram Program, Uri Address)> StartAsync(params (string, string)[] environment)
    {
        var address = new Uri($"http://127.0.0.1:{FreePort()}");
        string[] command = ["dotnet", Path.Join(Repository.Built("WebApp"), "WebApp.dll"), "--urls", address.ToString()];
        var program = RunningProgram.Start(_folder.Path, command, [("Logging__LogLevel__Default", "Warning"), .. environment]);
        await Eventually.TrueAsync(() => AnswersAsync(address), "the sample answers", TimeSpan.FromMinutes(2));
        return (program, address);
    }

    private static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }

    private async Task<bool> AnswersAsync(Uri address)
    {
        try
        {
            using var answer = await _client.GetAsync(new Uri(address, "/health"));
            return answer.IsSuccessStatusCode;
        }
        catch (HttpRequestException)
        {
            return false;
        }
    }

    private async Task<long> GreetAsync(Uri address, string name)
    {
        using var answer = await _client.PostAsJsonAsync(new Uri(address, "/greet"), new { name });
        answer.EnsureSuccessStatusCode();
        return await answer.Content.ReadFromJsonAsync<long>();
    }

    private async Task AssertEndsAsync(Uri address, long id, string text)
    {
        var path = new Uri(address, $"/tasks/{id}");
        string? found = null;
        await Eventually.TrueAsync(
            async () =>
            {
                using var answer = await _client.GetAsync(path);
                found = await answer.Content.ReadFromJsonAsync<string>();
                return answer.StatusCode != HttpStatusCode.Accepted;
            },
            "the task ends");
        Assert.Equal(text, found);
    }

    [Fact]
    public async Task I_can_kill_a_web_application_with_a_task_waiting_and_see_it_done_after_a_restart()
    {
        // What it is given first waits: its worker serves another queue.
        var (program, address) = await StartAsync(("Errand__Worker__Queues__0", "another"));
        long waiting;
        using (program)
        {
            waiting = await GreetAsync(address, "Ada");
            using var answer = await _client.GetAsync(new Uri(address, $"/tasks/{waiting}"));
            Assert.Equal(HttpStatusCode.Accepted, answer.StatusCode);
            using var none = await _client.GetAsync(new Uri(address, "/tasks/999999999"));
            Assert.Equal(HttpStatusCode.NotFound, none.StatusCode);
            Assert.Equal(137, (await program.KillAsync()).Code);
        }

        (program, address) = await StartAsync();
        using (program)
        {
            await AssertEndsAsync(address, waiting, "Hello, Ada");
            await AssertEndsAsync(address, await GreetAsync(address, "Grace"), "Hello, Grace");
            Assert.Equal("Healthy", await _client.GetStringAsync(new Uri(address, "/health")));
            var ended = await program.TerminateAsync();
            Assert.Equal((0, ""), (ended.Code, ended.Errors));
        }
    }
}
