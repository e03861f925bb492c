using Errand.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Infrastructure;

namespace Errand;

/// <summary>Tasks that are saved with the entities of a context.</summary>
public static class ErrandDbContextExtensions
{
    /// <summary>
    /// Enqueues a task with the next <c>SaveChanges</c> or <c>SaveChangesAsync</c> of this context, in its transaction: the changes
    /// and the task are committed together, or neither is.
    /// </summary>
    /// <remarks>
    /// <para>
    /// In a transaction of your own (<c>Database.BeginTransaction</c>) the task exists if and only if that commits; a task that was
    /// added in a transaction which did not commit is dropped with it. A save that is retried, by you or by an execution strategy,
    /// enqueues its tasks once. Workers of this process are woken by the commit.
    /// </para>
    /// <para>
    /// The tasks must be in the database of the context. A context without <c>UseErrand</c> has no queue. As the context itself,
    /// this is for one thread at a time.
    /// </para>
    /// </remarks>
    /// <param name="context">The context.</param>
    /// <param name="task">The payload. It is written as JSON when the changes are saved.</param>
    /// <param name="options">Queue, priority, due time and the like; without a transaction. Default is null: all defaults.</param>
    /// <returns>The task, which has an id as soon as it is saved.</returns>
    /// <exception cref="InvalidOperationException">The options of the context lack <c>UseErrand</c>.</exception>
    /// <exception cref="InvalidOptionsException">The options cannot work. The exception lists every problem.</exception>
    /// <exception cref="ArgumentException">The options name a transaction.</exception>
    public static UnsavedTask Enqueue(this DbContext context, ITaskPayload task, EnqueueOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(task);
        return Add(context, UnsavedTask.Create(), () => task, options);
    }

    /// <summary>Enqueues a task with a result with the next save.</summary>
    /// <typeparam name="TResult">What its handler returns.</typeparam>
    /// <inheritdoc cref="Enqueue(DbContext, ITaskPayload, EnqueueOptions?)"/>
    public static UnsavedTask<TResult> Enqueue<TResult>(
        this DbContext context, ITask<TResult> task, EnqueueOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(task);
        return Add(context, new UnsavedTask<TResult>(), () => task, options);
    }

    /// <summary>
    /// Enqueues a task that is made after the entities have been written, so that it may hold keys which the database generates:
    /// <c>shop.Enqueue(() => new SendConfirmation(order.Id))</c>.
    /// </summary>
    /// <param name="context">The context.</param>
    /// <param name="task">Makes the payload. Called once for each attempt to save; it must not use the context.</param>
    /// <param name="options">Queue, priority, due time and the like; without a transaction. Default is null: all defaults.</param>
    /// <inheritdoc cref="Enqueue(DbContext, ITaskPayload, EnqueueOptions?)"/>
    public static UnsavedTask Enqueue(this DbContext context, Func<ITask> task, EnqueueOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(task);
        return Add(context, UnsavedTask.Create(), task, options);
    }

    /// <summary>Enqueues a task with a result that is made after the entities have been written.</summary>
    /// <typeparam name="TResult">What its handler returns.</typeparam>
    /// <inheritdoc cref="Enqueue(DbContext, Func{ITask}, EnqueueOptions?)"/>
    public static UnsavedTask<TResult> Enqueue<TResult>(
        this DbContext context, Func<ITask<TResult>> task, EnqueueOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(task);
        return Add(context, new UnsavedTask<TResult>(), task, options);
    }

    private static T Add<T>(DbContext context, T task, Func<ITaskPayload> payload, EnqueueOptions? options)
        where T : UnsavedTask
    {
        ArgumentNullException.ThrowIfNull(context);
        options ??= EnqueueOptions.None;
        options.Validate();
        if (options.Transaction is not null)
        {
            throw new ArgumentException(
                "The options name a transaction. SaveChanges chooses it: leave EnqueueOptions.Transaction out.", nameof(options));
        }

        if (context.GetService<IDbContextOptions>().FindExtension<ErrandOptionsExtension>() is null)
        {
            throw new InvalidOperationException(
                $"The options of {context.GetType().Name} name no task queue. Add it where they are built: "
                + "AddDbContext<…>((services, options) => options.Use…(…).UseErrand(services)).");
        }

        context.GetService<UnsavedTasks>().Add(task, payload, options);
        return task;
    }
}
