using System.Runtime.InteropServices;
using Checksums;
using Errand;

const int unusable = 2, stopped = 130;

if (args.Contains("--help") || args.Contains("-h"))
{
    Console.WriteLine(Arguments.Usage);
    return 0;
}

using var stopping = new CancellationTokenSource();
using var onInterrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, Stop);
using var onTerminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, Stop);
try
{
    return await Run.ToEndAsync(Arguments.Parse(args), stopping.Token);
}
catch (ArgumentException e)
{
    Console.Error.WriteLine($"{Text.Printable(e.Message)}\n\n{Arguments.Usage}");
    return unusable;
}
catch (Exception e) when (e is BackendException or IOException or UnauthorizedAccessException)
{
    Console.Error.WriteLine(Text.Printable(e.Message));
    return unusable;
}
catch (OperationCanceledException) when (stopping.IsCancellationRequested)
{
    return stopped;
}

void Stop(PosixSignalContext signal)
{
    signal.Cancel = !stopping.IsCancellationRequested; // The first one ends the run in order, a second one at once.
    stopping.Cancel();
}
