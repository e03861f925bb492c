using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Errand.TestKit;
using Microsoft.Data.Sqlite;

namespace Errand.Samples.Tests;

/// <summary>A folder of files, what their manifest must be, and the sample program, run in the folder above.</summary>
internal sealed class ChecksumsFixture : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly SortedDictionary<string, string> _digests = new(StringComparer.Ordinal);

    internal string Folder => _folder.Path;

    internal string Database => _folder.File("tasks.db");

    internal string Plan => Database + ".plan";

    internal string Manifest => _folder.File("out.sha256");

    internal int Files => _digests.Count;

    internal string PathOf(string name) => Path.Join(Folder, "files", name);

    internal void Add(string name, ReadOnlySpan<byte> content)
    {
        AddUnlisted(name, content);
        _digests["files/" + name] = Convert.ToHexStringLower(SHA256.HashData(content));
    }

    /// <summary>A file that the manifest must not have.</summary>
    internal void AddUnlisted(string name, ReadOnlySpan<byte> content)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(PathOf(name))!);
        File.WriteAllBytes(PathOf(name), content);
    }

    /// <summary>Small files, and larger ones in between, under names that are hard to write down.</summary>
    internal void AddMany(int count)
    {
        var random = new Random(count);
        string[] kinds =
            ["plain", "with space ", "new\nline", "back\\slash", "return\r", "grün 日本 😀", "-dash", "\\n", "tab\t"];
        for (var i = 0; i < count; i++)
        {
            var content = new byte[random.Next(i % 20 == 0 ? 256 * 1024 : 4 * 1024)];
            random.NextBytes(content);
            Add(string.Create(CultureInfo.InvariantCulture, $"{i % 37}/{kinds[i % kinds.Length]}{i}"), content);
        }
    }

    /// <summary>Files that take long to hash and little room. They come last.</summary>
    internal void AddLong(int count)
    {
        const int size = 64 * 1024 * 1024;
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        hash.AppendData(new byte[size]);
        var digest = Convert.ToHexStringLower(hash.GetHashAndReset());
        for (var i = 0; i < count; i++)
        {
            var name = string.Create(CultureInfo.InvariantCulture, $"zeros/{i}");
            Directory.CreateDirectory(PathOf("zeros"));
            using var file = File.Create(PathOf(name));
            file.SetLength(size);
            _digests["files/" + name] = digest;
        }
    }

    internal void Remove(string name)
    {
        File.Delete(PathOf(name));
        _digests.Remove("files/" + name);
    }

    internal string[] Command(params string[] arguments) =>
        ["dotnet", Path.Join(Repository.Checksums, "Checksums.dll"), .. arguments];

    internal string[] UsualCommand => Command("files", "--db", "tasks.db", "--out", "out.sha256");

    internal RunningProgram Start() => RunningProgram.Start(Folder, UsualCommand);

    internal Task<Ended> RunAsync() => RunningProgram.RunAsync(Folder, UsualCommand);

    internal long CountFinished() => Count("select count(*) from errand_finished");

    internal long CountStartedIn(int process) =>
        Count($"select count(*) from errand_tasks, errand_workers as w where state = 12 and owner = w.id and process = {process}");

    /// <summary>What the database says; nothing while there is none, or it is being made at this moment.</summary>
    private long Count(string sql)
    {
        try
        {
            return Query(sql, SqliteOpenMode.ReadOnly);
        }
        catch (SqliteException)
        {
            return 0;
        }
    }

    internal long Query(string sql, SqliteOpenMode mode)
    {
        var source = new SqliteConnectionStringBuilder { DataSource = Database, Mode = mode, Pooling = false };
        using var connection = new SqliteConnection(source.ToString());
        connection.Open();
        using var command = connection.CreateCommand();
        command.CommandText = sql;
        return command.ExecuteScalar() is long number ? number : 0;
    }

    /// <summary>The manifest is what was worked out here, and <c>sha256sum</c> agrees.</summary>
    internal async Task AssertManifestAsync()
    {
        var expected = new StringBuilder();
        foreach (var (name, digest) in _digests)
        {
            var isHard = name.AsSpan().ContainsAny('\\', '\n', '\r');
            var written = string.Concat(
                name.Select(c => c switch { '\\' => "\\\\", '\n' => "\\n", '\r' => "\\r", _ => $"{c}" }));
            expected.Append(CultureInfo.InvariantCulture, $"{(isHard ? "\\" : "")}{digest}  {written}\n");
        }

        Assert.Equal(expected.ToString(), await File.ReadAllTextAsync(Manifest));
        var check = await RunningProgram.RunAsync(Folder, "sha256sum", "--check", "--strict", "--quiet", Manifest);
        Assert.Equal((0, "", ""), (check.Code, check.Output, check.Errors));
    }

    public void Dispose() => _folder.Dispose();
}
