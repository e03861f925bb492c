using Errand.TestKit;

namespace Errand.PostgreSql.Tests;

/// <summary>The sample with its tasks in PostgreSQL.</summary>
public sealed class ChecksumsTests(PostgresServer server)
{
    [Fact]
    public async Task I_can_hash_a_folder_with_the_tasks_in_a_database_whose_connection_string_is_never_shown()
    {
        using var folder = new TemporaryFolder();
        var files = Directory.CreateDirectory(folder.File("files"));
        for (var i = 0; i < 50; i++)
        {
            await File.WriteAllTextAsync(Path.Combine(files.FullName, $"{i}.txt"), $"{i}");
        }

        var program = DummyProcess.Program.Replace("Errand.Dummy", "Checksums", StringComparison.Ordinal)
            .Replace($"{Path.DirectorySeparatorChar}tests{Path.DirectorySeparatorChar}", $"{Path.DirectorySeparatorChar}samples{Path.DirectorySeparatorChar}", StringComparison.Ordinal);
        await using var run = DummyProcess.StartProgram(
            program, files.FullName, "--db", server.ConnectionString(1) + ";Password=sesame", "--out", folder.File("out.sha256"));
        await run.ExitAsync();

        Assert.True(run.ExitCode == 0, string.Join('\n', run.Errors));
        Assert.Equal(50, File.ReadLines(folder.File("out.sha256")).Count());
        Assert.DoesNotContain(run.Lines.Concat(run.Errors), line => line.Contains("sesame", StringComparison.Ordinal));
    }
}
