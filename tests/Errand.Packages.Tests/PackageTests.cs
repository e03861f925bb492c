using System.IO.Compression;
using System.Text.Json.Nodes;
using System.Xml.Linq;
using Errand.TestKit;

namespace Errand.Tests;

/// <summary>What is in the packages.</summary>
public sealed class PackageTests(PackedPackages packed)
{
    public static TheoryData<string> Packages => [.. PackedPackages.Names];

    public static TheoryData<string> Libraries => [.. PackedPackages.Names.Where(name => name != "Errand")];

    [Theory]
    [MemberData(nameof(Packages))]
    public void A_package_brings_its_readme_icon_licence_and_description(string name)
    {
        using var package = packed.Open(name, "nupkg");
        var nuspec = XDocument.Load(package.GetEntry($"{name}.nuspec")!.Open()).Root!.Elements().Single();
        Assert.Equal(name, Text(nuspec, "id"));
        Assert.Equal("MIT", Text(nuspec, "license"));
        Assert.NotEqual("Package Description", Text(nuspec, "description"));
        Assert.True(package.GetEntry(Text(nuspec, "readme"))!.Length > 500);
        Assert.True(package.GetEntry(Text(nuspec, "icon"))!.Length > 500);
    }

    [Theory]
    [MemberData(nameof(Libraries))]
    public void A_library_brings_its_documentation_and_its_symbols_apart(string name)
    {
        using var package = packed.Open(name, "nupkg");
        using var symbols = packed.Open(name, "snupkg");
        Assert.NotNull(package.GetEntry($"lib/net10.0/{name}.dll"));
        Assert.True(package.GetEntry($"lib/net10.0/{name}.xml")!.Length > 500);
        Assert.Null(package.GetEntry($"lib/net10.0/{name}.pdb"));
        Assert.NotNull(symbols.GetEntry($"lib/net10.0/{name}.pdb"));
    }

    /// <summary>
    /// Each version is the first that works, because a project that names an earlier one does not restore (NU1605). Errand.Sqlite
    /// asks for the first bundle whose SQLite does not have the WAL-reset bug.
    /// </summary>
    [Theory]
    [InlineData("Errand", "Errand.Core", "Errand.Sqlite")]
    [InlineData("Errand.Core", "Microsoft.Extensions.Logging.Abstractions 10.0.0")]
    [InlineData(
        "Errand.Hosting", "Errand.Core", "Microsoft.Extensions.Diagnostics.HealthChecks 10.0.0", "Microsoft.Extensions.Hosting 10.0.0")]
    [InlineData("Errand.EntityFrameworkCore", "Errand.Core", "Microsoft.EntityFrameworkCore.Relational 10.0.0")]
    [InlineData("Errand.OpenTelemetry", "Errand.Core", "OpenTelemetry.Api 1.15.3")]
    [InlineData("Errand.PostgreSql", "Errand.Core", "Npgsql 10.0.0")]
    [InlineData(
        "Errand.Sqlite", "Errand.Core", "Microsoft.Data.Sqlite.Core 10.0.0", "SQLitePCLRaw.bundle_e_sqlite3 3.0.5")]
    [InlineData(
        "Errand.Testing", "Errand.Core", "Errand.Hosting", "Errand.Sqlite", "Microsoft.Extensions.TimeProvider.Testing 10.0.0")]
    public void A_package_depends_on_what_it_uses_and_no_more(string name, params string[] expected)
    {
        using var package = packed.Open(name, "nupkg");
        var dependencies = XDocument.Load(package.GetEntry($"{name}.nuspec")!.Open()).Descendants()
            .Where(element => element.Name.LocalName == "dependency")
            .Select(element => $"{element.Attribute("id")!.Value} {element.Attribute("version")!.Value}".Replace(
                $" {packed.Version}", "", StringComparison.Ordinal));
        Assert.Equal(expected, dependencies.Order(StringComparer.Ordinal));
    }

    /// <summary>As an editor asks for it: the project that uses the package has an item that names the schema.</summary>
    [Fact]
    public async Task A_project_that_uses_the_host_package_gets_the_schema_of_its_section_of_appsettings()
    {
        using var folder = new TemporaryFolder();
        await packed.UseInAsync(folder);
        await File.WriteAllTextAsync(
            folder.File("App.csproj"),
            $"""
            <Project Sdk="Microsoft.NET.Sdk.Web">
              <PropertyGroup><TargetFramework>net10.0</TargetFramework></PropertyGroup>
              <ItemGroup><PackageReference Include="Errand.Hosting" Version="{packed.Version}" /></ItemGroup>
            </Project>
            """,
            TestContext.Current.CancellationToken);
        var restored = await RunningProgram.RunAsync(folder.Path, "dotnet", "restore", "-v:quiet");
        Assert.True(restored.Code == 0, restored.Output + restored.Errors);

        var asked = await RunningProgram.RunAsync(folder.Path, "dotnet", "msbuild", "-getItem:JsonSchemaSegment");

        var item = Assert.Single(
            JsonNode.Parse(asked.Output)!["Items"]!["JsonSchemaSegment"]!.AsArray(),
            one => $"{one!["FullPath"]}".Contains("errand", StringComparison.OrdinalIgnoreCase))!;
        Assert.Matches((string)item["FilePathPattern"]!, "appsettings.json");
        Assert.Matches((string)item["FilePathPattern"]!, "appsettings.Production.json");
        var schema = JsonNode.Parse(await File.ReadAllTextAsync((string)item["FullPath"]!, TestContext.Current.CancellationToken));
        Assert.NotNull(schema!["properties"]!["Errand"]!["properties"]!["Worker"]);
    }

    private static string Text(XElement parent, string name) =>
        parent.Elements().Single(element => element.Name.LocalName == name).Value;
}
