using System.Net;
using System.Net.Sockets;
using Errand.TestKit;

namespace Errand.Tests;

/// <summary>The packages in fresh projects from the SDK's templates, which name versions of their own: each runs its first task.</summary>
public sealed class TemplateTests(PackedPackages packed) : IDisposable
{
    private readonly FreshProjects _projects = new(packed);

    public void Dispose() => _projects.Dispose();

    [Fact]
    public async Task A_fresh_console_program_runs_its_first_task()
    {
        await MakeAsync("console", "Errand");
        Assert.Equal("Hello, Ada\n", await _projects.RunAsync("Fresh"));
        Assert.Equal("Hello, Ada\n", await _projects.RunAsync("Fresh")); // The file is there now.
    }

    [Fact]
    public async Task A_fresh_worker_runs_its_first_task()
    {
        await MakeAsync("worker", "Errand", "Errand.Hosting", "Errand.PostgreSql", "Errand.OpenTelemetry", "Errand.EntityFrameworkCore");
        Assert.Contains("Hello, Ada\n", await _projects.RunAsync("Fresh"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_fresh_web_application_runs_its_first_task()
    {
        await MakeAsync("web", "Errand", "Errand.Hosting");
        var address = new Uri($"http://localhost:{FreePort()}");
        using var program = RunningProgram.Start(_projects.Path("Fresh"), [_projects.Program("Fresh"), "--urls", address.ToString()]);
        await Eventually.TrueAsync(
            () => program.Output.Contains("Application started", StringComparison.Ordinal), "it starts", TimeSpan.FromMinutes(1));

        using var client = new HttpClient();
        Assert.Equal("Hello, Ada", await client.GetStringAsync(new Uri(address, "/greet/Ada"), TestContext.Current.CancellationToken));
        Assert.Equal(0, (await program.TerminateAsync()).Code);
    }

    [Fact]
    public async Task A_fresh_test_project_runs_its_first_task()
    {
        await MakeAsync("xunit", "Errand.Testing");
        Assert.Contains("Passed!", await _projects.DotNetAsync("test", "Fresh", "--no-build"), StringComparison.Ordinal);
    }

    private async Task MakeAsync(string template, params string[] packages)
    {
        await _projects.NewAsync(template, "Fresh", packages);
        await _projects.CopyAsync(template, "Fresh");
        await _projects.BuildAsync("Fresh");
    }

    private static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }
}
