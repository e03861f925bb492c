using System.Globalization;
using Errand.PowerCut;
using Errand.Sqlite;

// <folder> <durability> <operation>: runs the script on tasks.db in the folder, keeps its journal there, and ends at that operation.
using var held = await CutFileSystem.TakeAsync();
CutFileSystem.Record(Path.Combine(args[0], "journal"));
CutFileSystem.ExitAt(long.Parse(args[2], CultureInfo.InvariantCulture));
await using var script = new Script(Path.Combine(args[0], "tasks.db"), Enum.Parse<Durability>(args[1]));
await script.RunAsync();
return 0;
