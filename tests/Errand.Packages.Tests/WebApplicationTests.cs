namespace Errand.Tests;

/// <summary>A test of a whole web application drains its real handlers, with the packed packages.</summary>
public sealed class WebApplicationTests(PackedPackages packed) : IDisposable
{
    private readonly FreshProjects _projects = new(packed);

    public void Dispose() => _projects.Dispose();

    [Fact]
    public async Task Its_handlers_are_drained_by_a_WebApplicationFactory()
    {
        await _projects.NewAsync("web", "Shop", "Errand", "Errand.Hosting");
        await _projects.CopyAsync("Shop", "Shop");
        await _projects.NewAsync("xunit", "ShopTests", "Errand.Testing", "Microsoft.AspNetCore.Mvc.Testing");
        await _projects.CopyAsync("ShopTests", "ShopTests");
        await _projects.AddProjectAsync("ShopTests", "Shop");
        await _projects.BuildAsync("ShopTests");
        Assert.Contains("Passed!", await _projects.DotNetAsync("test", "ShopTests", "--no-build"), StringComparison.Ordinal);
    }
}
