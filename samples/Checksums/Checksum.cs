using System.Security.Cryptography;
using Errand;

namespace Checksums;

/// <summary>The task: hash one file. Its result is the digest in lower-case hexadecimal digits.</summary>
[TaskName("checksum")]
internal sealed record Checksum(string Path) : ITask<string>
{
    private static readonly FileStreamOptions Sequential = new()
    {
        BufferSize = 64 * 1024,
        Options = FileOptions.Asynchronous | FileOptions.SequentialScan,
        Share = FileShare.ReadWrite | FileShare.Delete,
    };

    /// <summary>The handler. It may run more than once for one file, which is harmless: it only reads.</summary>
    internal static async Task<string> HashAsync(Checksum task, TaskContext context)
    {
        if (!FileList.MayBeRegular(task.Path))
        {
            throw new IOException("It is not a regular file any more.");
        }

        await using var file = new FileStream(task.Path, Sequential);
        return Convert.ToHexStringLower(await SHA256.HashDataAsync(file, context.CancellationToken));
    }
}
