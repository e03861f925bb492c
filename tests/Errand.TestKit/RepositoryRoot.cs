namespace Errand.TestKit;

/// <summary>The checkout that the running tests were built from.</summary>
public static class RepositoryRoot
{
    public static string Path { get; } = Find();

    private static string Find()
    {
        var folder = new DirectoryInfo(AppContext.BaseDirectory);
        while (!File.Exists(System.IO.Path.Combine(folder.FullName, "Errand.slnx")))
        {
            folder = folder.Parent ?? throw new DirectoryNotFoundException("No Errand.slnx above the test program.");
        }

        return folder.FullName;
    }
}
