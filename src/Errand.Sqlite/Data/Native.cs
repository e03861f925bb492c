using System.Diagnostics.CodeAnalysis;
using System.Runtime.InteropServices;
using SQLitePCL;

namespace Errand.Sqlite.Data;

/// <summary>
/// The calls of SQLite that every task needs several times, directly: SQLitePCLRaw's own count references to two safe handles and
/// look for a provider each time, which costs more than some of the calls.
/// </summary>
/// <remarks>
/// They go to the library that SQLitePCLRaw uses, whichever that is: a connection of the caller's belongs to that one. None of
/// those that suppress the transition to native code waits, writes or calls back.
/// </remarks>
internal static unsafe class Native
{
    /// <summary>SQLite copies the value before the call returns.</summary>
    internal const nint Transient = -1;

    internal static readonly delegate* unmanaged[Cdecl]<nint, int> Step;
    internal static readonly delegate* unmanaged[Cdecl]<nint, int> Reset;
    internal static readonly delegate* unmanaged[Cdecl, SuppressGCTransition]<nint, int, long, int> BindInt64;
    internal static readonly delegate* unmanaged[Cdecl, SuppressGCTransition]<nint, int, int> BindNull;
    internal static readonly delegate* unmanaged[Cdecl, SuppressGCTransition]<nint, int, byte*, int, nint, int> BindBlob;
    internal static readonly delegate* unmanaged[Cdecl, SuppressGCTransition]<nint, int, int> ColumnType;
    internal static readonly delegate* unmanaged[Cdecl, SuppressGCTransition]<nint, int, long> ColumnInt64;
    internal static readonly delegate* unmanaged[Cdecl, SuppressGCTransition]<nint, int> Changes;
    internal static readonly delegate* unmanaged[Cdecl]<nint, byte*, int, int*, int> FileControl;

    [SuppressMessage("Performance", "CA1810:Initialize reference type static fields inline", Justification = "They come from one library.")]
    static Native()
    {
        Batteries_V2.Init();
        var library = Library(raw.GetNativeLibraryName());
        Step = (delegate* unmanaged[Cdecl]<nint, int>)Export("sqlite3_step");
        Reset = (delegate* unmanaged[Cdecl]<nint, int>)Export("sqlite3_reset");
        BindInt64 = (delegate* unmanaged[Cdecl, SuppressGCTransition]<nint, int, long, int>)Export("sqlite3_bind_int64");
        BindNull = (delegate* unmanaged[Cdecl, SuppressGCTransition]<nint, int, int>)Export("sqlite3_bind_null");
        BindBlob = (delegate* unmanaged[Cdecl, SuppressGCTransition]<nint, int, byte*, int, nint, int>)Export("sqlite3_bind_blob");
        ColumnType = (delegate* unmanaged[Cdecl, SuppressGCTransition]<nint, int, int>)Export("sqlite3_column_type");
        ColumnInt64 = (delegate* unmanaged[Cdecl, SuppressGCTransition]<nint, int, long>)Export("sqlite3_column_int64");
        Changes = (delegate* unmanaged[Cdecl, SuppressGCTransition]<nint, int>)Export("sqlite3_changes");
        FileControl = (delegate* unmanaged[Cdecl]<nint, byte*, int, int*, int>)Export("sqlite3_file_control");

        nint Export(string name) => NativeLibrary.GetExport(library, name);
    }

    /// <summary>The library that is loaded already: found where .NET finds a library of SQLitePCLRaw's.</summary>
    private static nint Library(string name) =>
        name == "__Internal" ? NativeLibrary.GetMainProgramHandle() : NativeLibrary.Load(name, typeof(raw).Assembly, searchPath: null);
}
