using System.Diagnostics;
using System.Runtime.InteropServices;
using Errand.TestKit;

namespace Errand.PowerCut;

/// <summary>
/// The SQLite file system layer of cutvfs.c, compiled for the run. There is one in a process, so whoever records or lets
/// operations fail holds it meanwhile.
/// </summary>
internal static class CutFileSystem
{
    internal const string Name = "errand-cut";

    private const string Library = "errandcut";
    private static readonly SemaphoreSlim Turn = new(1);
    private static readonly Lazy<nint> Loaded = new(CompileAndLoad);
    private static readonly Lazy<bool> Installed = new(Install);

    /// <summary>Waits for the layer, which is there from then on.</summary>
    /// <returns>What gives it back: no journal is kept and nothing fails from then on.</returns>
    internal static async Task<IDisposable> TakeAsync()
    {
        await Turn.WaitAsync();
        _ = Installed.Value;
        return new Hold();
    }

    /// <summary>Begins a journal about files that are new from here on; null keeps none. Nothing fails any more.</summary>
    internal static void Record(string? path)
    {
        if (cut_record(path) != 0)
        {
            throw new IOException($"The journal '{path}' cannot be written.");
        }
    }

    /// <summary>Ends the journal; from now on nothing fails.</summary>
    /// <returns>What stands in it.</returns>
    internal static List<JournalRecord> EndRecord(string path)
    {
        Record(null); // First: the writer may be in the midst of a record.
        return Journal.Read(path);
    }

    internal static void Mark(RecordKind mark, long value) => cut_mark((int)mark, value);

    /// <summary>Lets the operations of a kind fail, counted from now on.</summary>
    internal static void Fail(RecordKind kind, long from, long to, int code) => cut_fail((int)kind, from, to, code);

    internal static void FailNone(RecordKind kind) => cut_fail((int)kind, 0, 0, 0);

    /// <summary>Operations of a kind since the journal was begun, or since the kind was told to fail.</summary>
    internal static long Count(RecordKind kind) => cut_count((int)kind);

    /// <summary>Ends this process, as kill -9 does, when it has done so many operations.</summary>
    internal static void ExitAt(long operation) => cut_exit_at(operation);

    private static nint CompileAndLoad()
    {
        var source = Path.Combine(RepositoryRoot.Path, "tests", "Errand.PowerCut", "cutvfs.c");
        using var folder = new TemporaryFolder(); // Gone once it is loaded: a process that is killed leaves nothing.
        var library = folder.File("errandcut.so");
        try
        {
            using var compiler = Process.Start(
                "cc", ["-std=c11", "-Wall", "-Wextra", "-Werror", "-O1", "-fPIC", "-shared", "-pthread", "-o", library, source]);
            compiler.WaitForExit();
            return compiler.ExitCode == 0
                ? NativeLibrary.Load(library)
                : throw new InvalidOperationException($"cc could not compile '{source}'; it says why above.");
        }
        catch (System.ComponentModel.Win32Exception e)
        {
            throw new InvalidOperationException("The power cut needs a C compiler: install gcc, or any that is called cc.", e);
        }
    }

    private static bool Install()
    {
        NativeLibrary.SetDllImportResolver(
            typeof(CutFileSystem).Assembly, (name, _, _) => name == Library ? Loaded.Value : 0);
        SQLitePCL.Batteries_V2.Init();
        var sqlite = NativeLibrary.Load("e_sqlite3", typeof(SQLitePCL.SQLite3Provider_e_sqlite3).Assembly, null);
        var find = NativeLibrary.GetExport(sqlite, "sqlite3_vfs_find");
        var register = NativeLibrary.GetExport(sqlite, "sqlite3_vfs_register");
        return cut_install(find, register) == 0
            ? true
            : throw new InvalidOperationException("SQLite did not take the file system layer.");
    }

    [DllImport(Library)]
    private static extern int cut_install(nint find, nint register);

    [DllImport(Library)]
    private static extern int cut_record([MarshalAs(UnmanagedType.LPUTF8Str)] string? path);

    [DllImport(Library)]
    private static extern void cut_mark(int kind, long value);

    [DllImport(Library)]
    private static extern void cut_fail(int kind, long from, long to, int code);

    [DllImport(Library)]
    private static extern long cut_count(int kind);

    [DllImport(Library)]
    private static extern void cut_exit_at(long operation);

    private sealed class Hold : IDisposable
    {
        public void Dispose()
        {
            Record(null);
            Turn.Release();
        }
    }
}
