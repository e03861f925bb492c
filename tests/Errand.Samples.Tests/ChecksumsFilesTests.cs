using Errand.TestKit;
using System.Security.Cryptography;

namespace Errand.Samples.Tests;

public sealed class ChecksumsFilesTests : IDisposable
{
    private const string Nobody = "65534";

    private readonly ChecksumsFixture _fixture = new();

    [Fact]
    public async Task An_unreadable_file_is_tried_again_and_listed()
    {
        _fixture.AddMany(20);
        _fixture.AddUnlisted("sec\nret", "for root alone"u8);
        File.SetUnixFileMode(_fixture.PathOf("sec\nret"), UnixFileMode.None);

        var ended = await RunWithoutPrivilegesAsync();

        Assert.Equal(1, ended.Code);
        Assert.Contains("files/sec\\x0aret: permission denied (3 attempts)\n", ended.Errors, StringComparison.Ordinal);
        await _fixture.AssertManifestAsync();
    }

    [Fact]
    public async Task An_unreadable_folder_is_listed()
    {
        _fixture.AddMany(20);
        _fixture.AddUnlisted("closed/file", "out of reach"u8);
        File.SetUnixFileMode(_fixture.PathOf("closed"), UnixFileMode.None);

        var ended = await RunWithoutPrivilegesAsync();

        await BashAsync("chmod u+rwx files/closed"); // So that it can be deleted.
        Assert.Equal(1, ended.Code);
        Assert.Contains("files/closed: permission denied\n", ended.Errors, StringComparison.Ordinal);
        await _fixture.AssertManifestAsync();
    }

    [Fact]
    public async Task A_name_that_is_not_UTF8_is_listed()
    {
        _fixture.AddMany(20);
        await BashAsync("printf x > $'files/bad\\xff'; mkdir $'files/worse\\xfe'; touch $'files/worse\\xfe/inner'");
        _fixture.Add("both\uFFFD", "valid"u8);
        await BashAsync("printf x > $'files/both\\xff'");

        var ended = await _fixture.RunAsync();

        await BashAsync("rm -r files/bad* files/worse* $'files/both\\xff'"); // .NET cannot.
        Assert.Equal(1, ended.Code);
        Assert.Equal(
            "files/bad\uFFFD: its name is not valid UTF-8 (3 attempts)\n"
            + "files/both\uFFFD: its name is not valid UTF-8\n"
            + "files/worse\uFFFD: its name is not valid UTF-8\n",
            ended.Errors);
        await _fixture.AssertManifestAsync();
    }

    [Fact]
    public async Task Pipes_sockets_and_links_are_left_out()
    {
        _fixture.AddMany(20);
        _fixture.Add(".hidden", "also a file"u8);
        _fixture.Add("empty", ""u8);
        await BashAsync("mkfifo files/pipe; ln -s empty files/link; ln -s . files/circle; ln -s gone files/dangling");

        var ended = await _fixture.RunAsync();

        Assert.Equal((0, ""), (ended.Code, ended.Errors));
        await _fixture.AssertManifestAsync();
    }

    [Fact]
    public async Task Its_own_files_are_left_out_even_when_reached_through_a_link()
    {
        _fixture.AddMany(20);
        _fixture.Add("tasks.db.old", "not ours"u8);
        await BashAsync("ln -s files door; ln -s door/tasks.db tasks.db; printf torn > files/tasks.db.plan.tmp");

        foreach (var manifest in (string[])["out.sha256", "door/out.sha256"])
        {
            var ended = await RunningProgram.RunAsync(
                _fixture.Folder, _fixture.Command("files", "--db", "tasks.db", "--out", manifest));
            Assert.Equal((0, ""), (ended.Code, ended.Errors));
        }

        Assert.True(File.Exists(_fixture.PathOf("tasks.db")));
        Assert.Equal(
            await File.ReadAllBytesAsync(_fixture.Manifest),
            await File.ReadAllBytesAsync(_fixture.PathOf("out.sha256")));
        await _fixture.AssertManifestAsync();
    }

    [Fact]
    public async Task A_second_run_on_the_same_database_sees_what_has_changed()
    {
        _fixture.AddMany(20);
        Assert.Equal(0, (await _fixture.RunAsync()).Code);
        _fixture.Add("new", "one more"u8);
        _fixture.Add("0/plain0", "changed"u8);

        Assert.Equal(0, (await _fixture.RunAsync()).Code);
        await _fixture.AssertManifestAsync();
    }

    public void Dispose() => _fixture.Dispose();

    private async Task BashAsync(string script)
    {
        var ended = await RunningProgram.RunAsync(_fixture.Folder, "bash", "-ec", script);
        Assert.Equal((0, ""), (ended.Code, ended.Errors));
    }

    /// <summary>Root may read everything: then the program runs as nobody, from a copy that nobody may read.</summary>
    private async Task<Ended> RunWithoutPrivilegesAsync()
    {
        if (!Environment.IsPrivilegedProcess)
        {
            return await _fixture.RunAsync();
        }

        await BashAsync($"cp -r '{Repository.Checksums}' program; chmod -R a+rX program; chmod a+rwx .");
        return await RunningProgram.RunAsync(
            _fixture.Folder,
            ["setpriv", $"--reuid={Nobody}", $"--regid={Nobody}", "--clear-groups",
                "dotnet", "program/Checksums.dll", "files", "--db", "tasks.db", "--out", "out.sha256"]);
    }
}
