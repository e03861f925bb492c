using System.Diagnostics;
using System.Text;

namespace Errand.TestKit;

/// <summary>A real process that a test has started. If it still runs when the test lets go, it is killed.</summary>
public sealed class RunningProgram : IDisposable
{
    private static readonly TimeSpan Bound = TimeSpan.FromMinutes(8);

    private readonly Lock _lock = new(); // Over the two texts.
    private readonly Process _process;
    private readonly StringBuilder _output = new();
    private readonly StringBuilder _errors = new();

    private RunningProgram(ProcessStartInfo start)
    {
        _process = new Process { StartInfo = start };
        _process.OutputDataReceived += (_, line) => Append(_output, line.Data);
        _process.ErrorDataReceived += (_, line) => Append(_errors, line.Data);
        _process.Start();
        _process.BeginOutputReadLine();
        _process.BeginErrorReadLine();
    }

    public static RunningProgram Start(
        string folder, IEnumerable<string> command, params (string, string)[] environment)
    {
        var words = command.ToList();
        var start = new ProcessStartInfo(words[0], words.Skip(1))
        {
            WorkingDirectory = folder,
            UseShellExecute = false,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        foreach (var (name, value) in environment)
        {
            start.Environment[name] = value;
        }

        return new RunningProgram(start);
    }

    public static async Task<Ended> RunAsync(string folder, params string[] command)
    {
        using var program = Start(folder, command);
        return await program.EndAsync();
    }

    public int Id => _process.Id;

    /// <summary>Waits for its end, and for the last of its words.</summary>
    public async Task<Ended> EndAsync()
    {
        using var bound = new CancellationTokenSource(Bound);
        await _process.WaitForExitAsync(bound.Token);
        lock (_lock)
        {
            return new Ended(_process.ExitCode, _output.ToString(), _errors.ToString());
        }
    }

    /// <summary>What it has written so far.</summary>
    public string Output
    {
        get
        {
            lock (_lock)
            {
                return _output.ToString();
            }
        }
    }

    public bool EndsWithin(TimeSpan time) => _process.WaitForExit(time);

    /// <summary>What <c>kill -9</c> does.</summary>
    public async Task<Ended> KillAsync()
    {
        _process.Kill();
        return await EndAsync();
    }

    public async Task<Ended> TerminateAsync()
    {
        await RunAsync("/", "kill", "-TERM", $"{_process.Id}");
        return await EndAsync();
    }

    public void Dispose()
    {
        if (!_process.HasExited)
        {
            _process.Kill(entireProcessTree: true);
        }

        _process.Dispose();
    }

    private void Append(StringBuilder text, string? line)
    {
        lock (_lock)
        {
            if (line is not null)
            {
                text.Append(line).Append('\n');
            }
        }
    }
}

/// <summary>How a program ended: 137 is <c>kill -9</c>.</summary>
public sealed record Ended(int Code, string Output, string Errors);
