using Errand.TestKit;
using Microsoft.Data.Sqlite;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Migrations;
using Microsoft.EntityFrameworkCore.Storage;

namespace Errand.Sqlite.Tests;

/// <summary>The file belongs to the application: Errand keeps its tables beside whatever is in it, in whatever order they come.</summary>
public sealed class AdoptionTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private string Path => _folder.File("app.db");

    public void Dispose() => _folder.Dispose();

    private async Task RunATaskAsync()
    {
        await using var backend = new SqliteBackend(Path);
        await using var queue = new TaskQueue(backend);
        await using var worker = new TaskWorker(backend, new TaskHandlers().Add<Note, int>((note, _) => note.Number + 1));
        await worker.StartAsync(Token);
        Assert.Equal(8, await (await queue.EnqueueAsync(new Note(7), null, Token)).WaitAsync(TimeSpan.FromSeconds(30), Token));
        Assert.True((await backend.VerifyAsync(Token)).IsSound);
    }

    [Fact]
    public async Task A_database_of_the_applications_own_is_adopted_and_its_marks_stay()
    {
        FileTests.Execute(Path, """
            pragma application_id = 77;
            pragma user_version = 12;
            create table Tasks (Id integer primary key, Title text);
            create table finished (x);
            create index tasks_ready on Tasks (Title);
            insert into Tasks (Title) values ('water the plants');
            """);

        await RunATaskAsync();

        Assert.Equal(77L, FileTests.Scalar(Path, "pragma application_id"));
        Assert.Equal(12L, FileTests.Scalar(Path, "pragma user_version"));
        Assert.Equal("water the plants", FileTests.Scalar(Path, "select Title from Tasks"));
        Assert.Equal(0L, FileTests.Scalar(Path, "select count(*) from finished"));
    }

    [Fact]
    public async Task A_file_that_Errand_creates_carries_no_mark_of_its_own()
    {
        await RunATaskAsync();
        Assert.Equal(0L, FileTests.Scalar(Path, "pragma application_id"));
        Assert.Equal(0L, FileTests.Scalar(Path, "pragma user_version"));
        Assert.Equal(1L, FileTests.Scalar(Path, "select version from errand_meta"));
    }

    [Fact]
    public async Task Everything_of_Errand_is_named_so()
    {
        await RunATaskAsync();
        Assert.Equal(0L, FileTests.Scalar(
            Path, "select count(*) from sqlite_schema where name not like 'errand!_%' escape '!' and name not like 'sqlite!_%' escape '!'"));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Entity_Framework_creates_its_tables_before_Errand_or_after_it(bool before)
    {
        await using var notebook = new Notebook(Path);
        if (before)
        {
            Assert.True(await notebook.Database.EnsureCreatedAsync(Token));
            await RunATaskAsync();
        }
        else
        {
            await RunATaskAsync();
            Assert.False(await notebook.Database.EnsureCreatedAsync(Token)); // It creates nothing where any table is.
            await notebook.GetService<IRelationalDatabaseCreator>().CreateTablesAsync(Token);
        }

        await KeepATaskAsync(notebook);
        await RunATaskAsync();
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Entity_Framework_migrates_before_Errand_or_after_it(bool before)
    {
        await using var notebook = new Notebook(Path);
        if (before)
        {
            await notebook.Database.MigrateAsync(Token);
            await RunATaskAsync();
        }
        else
        {
            await RunATaskAsync();
            await notebook.Database.MigrateAsync(Token);
        }

        await KeepATaskAsync(notebook);
        await RunATaskAsync();
    }

    [Fact]
    public async Task Entity_Framework_migrates_while_a_worker_runs()
    {
        await using var backend = new SqliteBackend(Path);
        await using var queue = new TaskQueue(backend);
        await using var worker = new TaskWorker(backend, new TaskHandlers().Add<Note, int>((note, _) => note.Number));
        await worker.StartAsync(Token);
        await using (var notebook = new Notebook(Path))
        {
            await notebook.Database.MigrateAsync(Token);
            await KeepATaskAsync(notebook);
        }

        Assert.Equal(3, await (await queue.EnqueueAsync(new Note(3), null, Token)).WaitAsync(TimeSpan.FromSeconds(30), Token));
    }

    [Fact]
    public async Task A_backup_has_the_applications_tables_too()
    {
        FileTests.Execute(Path, "create table Tasks (Title text); insert into Tasks values ('water the plants')");
        await using var backend = new SqliteBackend(Path);
        await backend.InitializeAsync(Token);
        var copy = _folder.File("copy.db");
        await backend.BackupAsync(copy, Token);
        Assert.Equal("water the plants", FileTests.Scalar(copy, "select Title from Tasks"));
    }

    [Theory]
    [InlineData("Data Source=tasks.db", "'tasks.db'")]
    [InlineData("data source = \"tasks.db\";Pooling=False;Password=secret", "'tasks.db'")]
    [InlineData("Cache=Shared;Filename=tasks.db", "'tasks.db'")]
    [InlineData("DataSource=:memory:", "':memory:'")]
    [InlineData("file:tasks.db?mode=memory", "'./file:tasks.db?mode=memory'")]
    [InlineData("file::memory:", "is a URI")]
    [InlineData(":Memory:", "':memory:', in lower case")]
    [InlineData(" :memory:", "':memory:', in lower case")]
    [InlineData("|DataDirectory|/tasks.db", "Path.Combine")]
    public void What_is_no_path_is_refused_with_the_remedy(string path, string remedy)
    {
        var refused = Assert.Throws<ArgumentException>(() => new SqliteBackend(path));
        Assert.Equal("path", refused.ParamName);
        Assert.Contains(remedy, refused.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("secret", refused.Message, StringComparison.Ordinal);
    }

    private static async Task KeepATaskAsync(Notebook notebook)
    {
        notebook.Tasks.Add(new TodoItem { Title = "water the plants" });
        await notebook.SaveChangesAsync(Token);
        Assert.Equal("water the plants", (await notebook.Tasks.SingleAsync(Token)).Title);
    }

    /// <summary>An application whose own table is called Tasks.</summary>
    internal sealed class Notebook(string path) : DbContext
    {
        internal DbSet<TodoItem> Tasks => Set<TodoItem>();

        protected override void OnConfiguring(DbContextOptionsBuilder optionsBuilder) =>
            optionsBuilder.UseSqlite(new SqliteConnectionStringBuilder { DataSource = path, Pooling = false }.ConnectionString);

        protected override void OnModelCreating(ModelBuilder modelBuilder) => modelBuilder.Entity<TodoItem>().ToTable("Tasks");
    }

    internal sealed class TodoItem
    {
        public int Id { get; set; }

        public required string Title { get; set; }
    }

    [DbContext(typeof(Notebook))]
    [Migration("20261125_Tasks")]
    internal sealed class CreateTasks : Migration
    {
        protected override void Up(MigrationBuilder migrationBuilder) => migrationBuilder.CreateTable(
            "Tasks",
            table => new { Id = table.Column<int>().Annotation("Sqlite:Autoincrement", true), Title = table.Column<string>() },
            constraints: table => table.PrimaryKey("PK_Tasks", one => one.Id));
    }
}
