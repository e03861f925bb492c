using System.Collections.Concurrent;
using System.Diagnostics;

namespace Errand.TestKit;

/// <summary>A program of ours that a test starts, reads and kills.</summary>
public sealed class DummyProcess : IAsyncDisposable
{
    private readonly Process _process;

    private DummyProcess(Process process)
    {
        _process = process;
        _process.OutputDataReceived += (_, line) => Keep(line.Data, Lines);
        _process.ErrorDataReceived += (_, line) => Keep(line.Data, Errors);
        _process.Start();
        _process.BeginOutputReadLine();
        _process.BeginErrorReadLine();
    }

    public ConcurrentQueue<string> Lines { get; } = new();

    public ConcurrentQueue<string> Errors { get; } = new();

    public int ExitCode => _process.ExitCode;

    public bool HasExited => _process.HasExited;

    /// <summary>Starts the dummy that was built beside the running test program.</summary>
    public static DummyProcess Start(params string[] arguments) => Start(Program, asNobody: false, arguments);

    /// <summary>The same with a variable of its environment set.</summary>
    public static DummyProcess StartWith(string variable, string value, params string[] arguments) =>
        Start(Program, asNobody: false, arguments, (variable, value));

    /// <summary>Starts another program of ours.</summary>
    public static DummyProcess StartProgram(string program, params string[] arguments) =>
        Start(program, asNobody: false, arguments);

    /// <summary>The same as a user without rights: root may write to what is read-only.</summary>
    public static DummyProcess StartAsNobody(string program, params string[] arguments) =>
        Start(program, asNobody: true, arguments);

    /// <summary>The dummy, as built for the configuration of the running tests.</summary>
    public static string Program
    {
        get
        {
            var configuration = Path.GetFileName(Path.GetDirectoryName(AppContext.BaseDirectory.TrimEnd('/', '\\'))!);
            var tests = AppContext.BaseDirectory;
            while (Path.GetFileName(tests) != "tests")
            {
                tests = Path.GetDirectoryName(tests) ?? throw new DirectoryNotFoundException("No folder 'tests' above the program.");
            }

            return Path.Combine(tests, "Errand.Dummy", "bin", configuration, "net10.0", "Errand.Dummy.dll");
        }
    }

    /// <summary>Ends it as the system does with one that misbehaves: kill -9.</summary>
    public async Task KillAsync()
    {
        _process.Kill();
        await ExitAsync();
    }

    /// <summary>Freezes it where it stands, as a laptop's lid or a debugger does.</summary>
    public Task StopAsync() => SignalAsync("STOP");

    /// <summary>Lets it go on.</summary>
    public Task ContinueAsync() => SignalAsync("CONT");

    private async Task SignalAsync(string signal)
    {
        using var kill = Process.Start("kill", [$"-{signal}", $"{_process.Id}"]);
        await kill.WaitForExitAsync().WaitAsync(Eventually.Bound);
        if (kill.ExitCode != 0)
        {
            throw new InvalidOperationException($"kill -{signal} {_process.Id} gave {kill.ExitCode}.");
        }
    }

    public Task ExitAsync() => _process.WaitForExitAsync().WaitAsync(Eventually.Bound);

    public Task PrintsAsync(Func<string, bool> line, string what) =>
        Eventually.TrueAsync(() => Lines.Any(line), $"the dummy prints {what}; it printed: {string.Join(" | ", Lines.Concat(Errors))}");

    public async ValueTask DisposeAsync()
    {
        if (!_process.HasExited)
        {
            await KillAsync();
        }

        _process.Dispose();
    }

    private static DummyProcess Start(
        string program, bool asNobody, string[] arguments, (string Name, string Value)? variable = null)
    {
        var start = new ProcessStartInfo("dotnet") 
        {
            RedirectStandardOutput = true, RedirectStandardError = true, UseShellExecute = false,
        };
        if (asNobody)
        {
            start.FileName = "setpriv";
            foreach (var argument in (string[])["--reuid=65534", "--regid=65534", "--clear-groups", "dotnet"])
            {
                start.ArgumentList.Add(argument);
            }
        }

        if (variable is var (name, value))
        {
            start.Environment[name] = value;
        }

        start.ArgumentList.Add(program);
        foreach (var argument in arguments)
        {
            start.ArgumentList.Add(argument);
        }

        return new DummyProcess(new Process { StartInfo = start });
    }

    private static void Keep(string? line, ConcurrentQueue<string> lines)
    {
        if (line is not null)
        {
            lines.Enqueue(line);
        }
    }
}
