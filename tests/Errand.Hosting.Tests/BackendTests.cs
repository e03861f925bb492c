using Errand.Sqlite;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace Errand.Hosting.Tests;

/// <summary>Which backend a host uses, and where its store is, when several places say so.</summary>
public sealed class BackendTests : HostTest
{
    private static string PathOf(IHost host) => Assert.IsType<SqliteBackend>(host.Services.GetRequiredService<IBackend>()).Path;

    private async Task<string> RefusedAsync(Action<ErrandBuilder> configure, params (string Name, string? Value)[] configuration)
    {
        var builder = NewBuilder(configuration);
        builder.Services.AddErrand(configure);
        var refused = await Assert.ThrowsAsync<InvalidOptionsException>(() => StartAsync(builder));
        return Assert.Single(refused.Problems);
    }

    [Fact]
    public async Task The_backend_that_is_chosen_last_replaces_the_earlier_one()
    {
        var builder = NewBuilder();
        builder.Services.AddErrand(errand => errand.UseSqlite(File("first.db")).AddHandler<GreetHandler>());
        builder.Services.AddErrand(errand => errand.UseSqlite(Database));
        var host = await StartAsync(builder);

        Assert.Equal(Database, PathOf(host));
        Assert.Equal("Hello, Ada", await RunAsync(host, new Greet("Ada")));
        Assert.False(System.IO.File.Exists(File("first.db")));
    }

    [Fact]
    public async Task The_configuration_redirects_a_path_that_stands_in_code()
    {
        var builder = NewBuilder(("Errand:Sqlite:Path", Database));
        builder.Services.AddErrand(errand => errand.UseSqlite(File("production.db")).AddHandler<GreetHandler>());
        var host = await StartAsync(builder);

        Assert.Equal(Database, PathOf(host));
        Assert.False(System.IO.File.Exists(File("production.db")));
    }

    [Theory]
    [InlineData("Data Source={0}")]
    [InlineData("Filename={0};Cache=Shared;Foreign Keys=True;Pooling=False;Default Timeout=5;Mode=ReadWriteCreate")]
    [InlineData("{0}")]
    public async Task The_file_is_found_by_the_name_of_a_connection_string(string connection)
    {
        (string, string?) shop = ("ConnectionStrings:shop", string.Format(null, connection, Database));
        var byParameter = NewBuilder(shop);
        byParameter.Services.AddErrand(errand => errand.UseSqlite(connectionName: "shop").WithoutWorker());
        Assert.Equal(Database, PathOf(await StartAsync(byParameter)));

        var byText = NewBuilder(shop);
        byText.Services.AddErrand(errand => errand.UseSqlite("Name=shop").WithoutWorker());
        Assert.Equal(Database, PathOf(await StartAsync(byText)));

        var byConfiguration = NewBuilder(shop, ("Errand:Sqlite:ConnectionName", "shop"));
        byConfiguration.Services.AddErrand(errand => errand.UseSqlite(File("production.db")).WithoutWorker());
        Assert.Equal(Database, PathOf(await StartAsync(byConfiguration)));
    }

    [Theory]
    [InlineData(null, "and the configuration has no ConnectionStrings:shop")]
    [InlineData("Data Source=x.db;Mode=ReadOnly", "and ConnectionStrings:shop sets Mode, which Errand does not support")]
    [InlineData("Data Source=x;Mode=Memory;Password=p", "and ConnectionStrings:shop sets Mode and Password, which Errand does not support")]
    [InlineData("Cache=Shared", "and ConnectionStrings:shop has no Data Source")]
    [InlineData("Host=db;Database=shop", "and ConnectionStrings:shop cannot be read: Connection string keyword 'host' is not supported")]
    public async Task A_connection_string_that_cannot_be_used_is_told(string? connection, string problem) =>
        Assert.StartsWith(
            $"Errand:Sqlite:ConnectionName is 'shop', {problem}",
            await RefusedAsync(errand => errand.UseSqlite(connectionName: "shop").WithoutWorker(), ("ConnectionStrings:shop", connection)),
            StringComparison.Ordinal);

    [Fact]
    public async Task Two_words_on_where_the_store_is_are_told()
    {
        Assert.Equal(
            "Errand:Sqlite:Path and ConnectionName are both set; keep one",
            await RefusedAsync(
                errand => errand.UseSqlite().WithoutWorker(), ("Errand:Sqlite:Path", "x.db"), ("Errand:Sqlite:ConnectionName", "shop"),
                ("ConnectionStrings:shop", "x.db")));
        Assert.Equal(
            "Errand:Sqlite:Path is given in code together with the name 'shop' of a connection string; keep one",
            await RefusedAsync(errand => errand.UseSqlite("x.db", connectionName: "shop").WithoutWorker(), ("ConnectionStrings:shop", "x.db")));
    }

    [Fact]
    public async Task A_path_that_can_be_none_is_told_with_everything_else()
    {
        var builder = NewBuilder(("Errand:Wroker:Concurrency", "2"));
        builder.Services.AddErrand(errand => errand.UseSqlite("Data Source=shop.db").WithoutWorker());
        var refused = await Assert.ThrowsAsync<InvalidOptionsException>(() => StartAsync(builder));

        Assert.Equal(2, refused.Problems.Count);
        Assert.Equal(
            "Errand:Sqlite: The path is a connection string. Give the path of the file alone: 'shop.db'", refused.Problems[0]);
    }
}
