using Errand;
using Errand.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Infrastructure;

namespace Microsoft.EntityFrameworkCore;

/// <summary>Contexts that enqueue tasks with their changes.</summary>
public static class ErrandDbContextOptionsBuilderExtensions
{
    /// <summary>
    /// Lets contexts enqueue tasks with their changes: <c>shop.Enqueue(task)</c>, then <c>SaveChanges</c>. Errand's own tables in the
    /// database no longer keep <c>EnsureCreated</c> from creating those of the context.
    /// </summary>
    /// <param name="options">The options of the context.</param>
    /// <param name="queue">The queue, whose backend keeps its tasks in the database of the context.</param>
    /// <returns>The options, to continue with.</returns>
    public static DbContextOptionsBuilder UseErrand(this DbContextOptionsBuilder options, ITaskQueue queue)
    {
        ArgumentNullException.ThrowIfNull(queue);
        return Use(options, () => queue);
    }

    /// <summary>
    /// Lets contexts enqueue tasks with their changes, in the queue of <c>AddErrand</c>:
    /// <c>AddDbContext&lt;Shop&gt;((services, options) => options.UseSqlite(…).UseErrand(services))</c>.
    /// </summary>
    /// <param name="options">The options of the context.</param>
    /// <param name="services">
    /// The services of the application, asked for the queue when the first task is saved. That save throws an
    /// <see cref="InvalidOperationException"/> if <c>AddErrand</c> was not called.
    /// </param>
    /// <param name="key">The key of the queue. Default is null: the one without.</param>
    /// <inheritdoc cref="UseErrand(DbContextOptionsBuilder, ITaskQueue)"/>
    public static DbContextOptionsBuilder UseErrand(
        this DbContextOptionsBuilder options, IServiceProvider services, string? key = null)
    {
        ArgumentNullException.ThrowIfNull(services);
        return Use(options, () => ErrandOptionsExtension.QueueOf(services, key));
    }

    /// <inheritdoc cref="UseErrand(DbContextOptionsBuilder, ITaskQueue)"/>
    /// <typeparam name="TContext">The context.</typeparam>
    public static DbContextOptionsBuilder<TContext> UseErrand<TContext>(this DbContextOptionsBuilder<TContext> options, ITaskQueue queue)
        where TContext : DbContext =>
        (DbContextOptionsBuilder<TContext>)UseErrand((DbContextOptionsBuilder)options, queue);

    /// <inheritdoc cref="UseErrand(DbContextOptionsBuilder, IServiceProvider, string?)"/>
    /// <typeparam name="TContext">The context.</typeparam>
    public static DbContextOptionsBuilder<TContext> UseErrand<TContext>(
        this DbContextOptionsBuilder<TContext> options, IServiceProvider services, string? key = null)
        where TContext : DbContext =>
        (DbContextOptionsBuilder<TContext>)UseErrand((DbContextOptionsBuilder)options, services, key);

    private static DbContextOptionsBuilder Use(DbContextOptionsBuilder options, Func<ITaskQueue> queue)
    {
        ArgumentNullException.ThrowIfNull(options);
        if (options.Options.FindExtension<ErrandOptionsExtension>() is null)
        {
            options.AddInterceptors(new SaveInterceptor(), new TransactionInterceptor(), new TablesInterceptor());
        }

        ((IDbContextOptionsBuilderInfrastructure)options).AddOrUpdateExtension(new ErrandOptionsExtension(queue));
        return options;
    }
}
