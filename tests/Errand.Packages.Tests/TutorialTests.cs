using System.Net;
using System.Net.Sockets;
using System.Text.RegularExpressions;
using Errand.TestKit;

namespace Errand.Tests;

/// <summary>The tutorial, followed word for word with the packed packages, from <c>dotnet new web</c> to the kill.</summary>
public sealed partial class TutorialTests(PackedPackages packed) : IDisposable
{
    private static readonly string Page = File.ReadAllText(Path.Combine(RepositoryRoot.Path, "docs/tutorial.md"));

    private readonly TemporaryFolder _folder = new();
    private readonly HttpClient _client = new();
    private Uri? _address; // Of the program that was started last.

    private static string[] Examples => [.. Blocks("csharp")];

    private string Program => Path.Combine(_folder.Path, "Shop", "Program.cs");

    public void Dispose()
    {
        _client.Dispose();
        _folder.Dispose();
    }

    [Fact]
    public async Task I_can_follow_the_tutorial()
    {
        await packed.UseInAsync(_folder);
        foreach (var command in Blocks("sh").First().Split('\n').Where(line => line.StartsWith("dotnet ", StringComparison.Ordinal)))
        {
            await DotNetAsync(command.StartsWith("dotnet new", StringComparison.Ordinal) ? "" : "Shop", command.Split(' ')[1..]);
        }

        var template = File.ReadAllLines(Program).Count(line => line.Trim().Length > 0);
        await File.WriteAllTextAsync(Program, Examples[0]);
        Assert.Equal(4, Examples[0].Split('\n').Count(line => line.Trim().Length > 0) - template);

        string id;
        using (var program = await StartAsync())
        {
            id = await PostAsync("/greet/Ada");
            await program.TerminateAsync();
        }

        ChangeProgram();
        using (var program = await StartAsync())
        {
            Assert.Equal("Hello, Ada", await _client.GetStringAsync(new Uri(_address!, $"/tasks/{id}")));
            await PostAsync("/mail/ada@example.org");
            await SaysAsync(program, "Sending to ada@example.org, attempt 1");
            await program.KillAsync();
        }

        using (var program = await StartAsync())
        {
            await SaysAsync(program, "Sending to ada@example.org, attempt 2");
            await SaysAsync(program, "Sent to ada@example.org");
            await program.TerminateAsync();
        }
    }

    /// <summary>Steps 2 and 3 of the page.</summary>
    private void ChangeProgram()
    {
        var text = File.ReadAllText(Program);
        var line = text.Split('\n').Single(one => one.StartsWith("builder.Services.AddErrand", StringComparison.Ordinal));
        Assert.StartsWith("builder.Services.AddErrand", Examples[3], StringComparison.Ordinal);
        text = text.Replace(line, Examples[3], StringComparison.Ordinal)
            .Replace("app.Run();", Examples[1] + Examples[4] + "app.Run();", StringComparison.Ordinal);
        File.WriteAllText(Program, text + Examples[2]);
    }

    private async Task<RunningProgram> StartAsync()
    {
        await DotNetAsync("Shop", "build", "-v:quiet", "-nodeReuse:false");
        var address = new Uri($"http://localhost:{FreePort()}");
        var program = RunningProgram.Start(
            _folder.File("Shop"), [_folder.File("Shop/bin/Debug/net10.0/Shop"), "--urls", address.ToString()]);
        await SaysAsync(program, "Application started");
        _address = address;
        return program;
    }

    private async Task<string> PostAsync(string path)
    {
        using var answer = await _client.PostAsync(new Uri(_address!, path), content: null);
        answer.EnsureSuccessStatusCode();
        return await answer.Content.ReadAsStringAsync();
    }

    private static Task SaysAsync(RunningProgram program, string words) =>
        Eventually.TrueAsync(() => program.Output.Contains(words, StringComparison.Ordinal), $"it says '{words}'", TimeSpan.FromMinutes(1));

    private async Task DotNetAsync(string folder, params string[] arguments)
    {
        var ended = await RunningProgram.RunAsync(Path.Combine(_folder.Path, folder), ["dotnet", .. arguments]);
        Assert.True(ended.Code == 0, $"dotnet {string.Join(' ', arguments)}\n{ended.Output}{ended.Errors}");
    }

    private static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }

    private static IEnumerable<string> Blocks(string language) =>
        Fences().Matches(Page).Where(match => match.Groups["language"].Value == language).Select(match => match.Groups["text"].Value);

    [GeneratedRegex(
        "^```(?<language>\\w+)\n(?<text>.*?)^```", RegexOptions.Singleline | RegexOptions.Multiline | RegexOptions.ExplicitCapture,
        matchTimeoutMilliseconds: 1_000)]
    private static partial Regex Fences();
}
