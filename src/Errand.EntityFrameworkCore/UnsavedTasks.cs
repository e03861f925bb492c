using System.Data.Common;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.ChangeTracking;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Storage;

namespace Errand.EntityFrameworkCore;

/// <summary>
/// The tasks of one context that are not saved yet, or that are saved in a transaction which has not committed. As the context, for
/// one thread at a time.
/// </summary>
/// <remarks>
/// <c>SaveChanges</c> in a transaction of its own writes them immediately before that commits; in the caller's transaction it writes
/// them after the entities. A task that was written keeps its id, so that writing it again after a commit whose outcome is unknown
/// finds it.
/// </remarks>
internal sealed class UnsavedTasks(ICurrentDbContext current, IDbContextOptions options) : IResettableService
{
    private readonly List<Entry> _entries = [];
    private Guid? _ownTransaction; // The caller's transaction that this context has begun: its end is heard.
    private Guid? _writtenTransaction; // The one that tasks were written in last: its commit wakes the workers.
    private AutoTransactionBehavior? _behavior; // The context's own, while a save of tasks needs another.
    private bool _isSavingAlone; // SaveChanges runs without a transaction of the caller's.
    private object? _witness; // An entity that a failed save left in the change tracker.
    private bool _isOpened;

    private DbContext Context => current.Context;

    private ITaskQueue Queue => options.FindExtension<ErrandOptionsExtension>()!.Queue;

    private Guid? CurrentTransaction => Context.Database.CurrentTransaction?.TransactionId;

    internal void Add(UnsavedTask task, Func<ITaskPayload> payload, EnqueueOptions enqueueOptions)
    {
        DropAbandoned();
        var transaction = Context.Database.IsRelational() ? CurrentTransaction : null;
        var addedIn = transaction is not null && transaction == _ownTransaction ? transaction : null;
        _entries.Add(new Entry(task, payload, enqueueOptions, addedIn));
    }

    /// <summary>Before <c>SaveChanges</c> does anything.</summary>
    internal async Task SavingAsync(bool isAsync, CancellationToken cancellationToken)
    {
        DropAbandoned();
        if (_entries.Count == 0)
        {
            return;
        }

        var isRelational = Context.Database.IsRelational();
        _isSavingAlone = !isRelational || Context.Database.CurrentTransaction is null;
        if (!_isSavingAlone)
        {
            return;
        }

        if (System.Transactions.Transaction.Current is not null || (isRelational && (Context.GetService<IDbContextTransactionManager>() as ITransactionEnlistmentManager)?.EnlistedTransaction is not null))
        {
            throw new InvalidOperationException(
                "A TransactionScope is open here, and Errand does not take part in it: the tasks would stay if the scope were rolled "
                + "back. Begin a transaction with Database.BeginTransaction instead.");
        }

        if (!_isOpened && Queue is TaskQueue queue)
        {
            // Ids cannot be taken from a SQLite file that the transaction holds.
            var opening = queue.InitializeAsync(cancellationToken);
            await WaitAsync(opening, isAsync).ConfigureAwait(false);
            _isOpened = true;
        }

        if (isRelational)
        {
            _behavior = Context.Database.AutoTransactionBehavior;
            Context.Database.AutoTransactionBehavior = AutoTransactionBehavior.Always; // One statement alone would have none.
        }
    }

    /// <summary>A transaction of this context is about to commit. If it is that of <c>SaveChanges</c>, the tasks belong to it.</summary>
    internal async Task CommittingAsync(
        DbTransaction transaction, Guid transactionId, bool isAsync, CancellationToken cancellationToken)
    {
        if (_isSavingAlone && _entries.Count > 0)
        {
            await WriteAsync(_entries, transaction, transactionId, isAsync, cancellationToken).ConfigureAwait(false);
        }
    }

    internal void Started(Guid transactionId) => _ownTransaction = transactionId;

    internal void Committed(Guid transactionId)
    {
        if (transactionId == _ownTransaction)
        {
            _ownTransaction = null;
        }

        if (!_isSavingAlone)
        {
            _entries.RemoveAll(entry => entry.WrittenIn == transactionId);
            foreach (var entry in _entries.Where(entry => entry.AddedIn == transactionId))
            {
                entry.SaveLater();
            }
        }

        if (transactionId == _writtenTransaction)
        {
            _writtenTransaction = null;
            (Queue as TaskQueue)?.Backend.Control<ICommitSignal>()?.SignalCommit();
        }
    }

    /// <summary>The entities are saved.</summary>
    internal async Task SavedAsync(bool isAsync, CancellationToken cancellationToken)
    {
        Restore();
        _witness = null;
        if (_entries.Count == 0)
        {
            return;
        }

        if (_isSavingAlone)
        {
            // Without a change of an entity there was no transaction.
            await WriteAsync([.. _entries.Where(entry => entry.WrittenIn is null)], null, null, isAsync, cancellationToken)
                .ConfigureAwait(false);
            Finish(_entries);
            _entries.Clear();
            _isSavingAlone = false;
            return;
        }

        var transaction = Context.Database.CurrentTransaction!;
        Entry[] written = [.. _entries.Where(entry => entry.WrittenIn != transaction.TransactionId)];
        await WriteAsync(written, transaction.GetDbTransaction(), transaction.TransactionId, isAsync, cancellationToken)
            .ConfigureAwait(false);
        Finish(written);
        if (!HasChanges())
        {
            _entries.Clear(); // Else the caller accepts the changes after the commit, and may save them again before that.
        }
    }

    internal void Failed()
    {
        Restore();
        _isSavingAlone = false;
        if (_entries.Count > 0)
        {
            _witness = Tracked(() => Context.ChangeTracker.Entries().FirstOrDefault(entry => entry.State != EntityState.Unchanged)?.Entity);
        }
    }

    /// <summary>A pooled context goes back, and serves somebody else next.</summary>
    public void ResetState()
    {
        _entries.Clear();
        _ownTransaction = null;
        _writtenTransaction = null;
        _behavior = null;
        _isSavingAlone = false;
        _witness = null;
    }

    public Task ResetStateAsync(CancellationToken cancellationToken = default)
    {
        ResetState();
        return Task.CompletedTask;
    }

    /// <summary>
    /// Tasks go with what they were added in: a transaction that ended without a commit, or changes that a retry has cleared from the
    /// change tracker after a save that failed.
    /// </summary>
    private void DropAbandoned()
    {
        if (_entries.Count == 0)
        {
            return;
        }

        if (_witness is { } witness)
        {
            _witness = null;
            if (Tracked(() => !Context.ChangeTracker.Entries().Any(entry => ReferenceEquals(entry.Entity, witness))))
            {
                _entries.Clear();
            }
        }

        _entries.RemoveAll(entry => entry.AddedIn is { } added && added != CurrentTransaction);
    }

    private async Task WriteAsync(
        IReadOnlyList<Entry> entries, DbTransaction? transaction, Guid? transactionId, bool isAsync, CancellationToken cancellationToken)
    {
        if (entries.Count == 0)
        {
            return;
        }

        using (Tracked(() => StoreGeneratedValues.Shown(Context)))
        {
            foreach (var entry in entries)
            {
                entry.Make(transaction);
            }
        }

        try
        {
            var each = 0; // The options are asked for in the order of the tasks; two may have one payload.
            var enqueuing = Queue.EnqueueManyAsync(
                entries.Select(entry => entry.Payload!), _ => entries[each++].Options, cancellationToken);
            await WaitAsync(enqueuing, isAsync).ConfigureAwait(false);
            var handles = await enqueuing.ConfigureAwait(false);
            _writtenTransaction = transactionId;
            foreach (var (entry, handle) in entries.Zip(handles))
            {
                entry.Written(handle, transactionId ?? Guid.Empty);
            }
        }
        catch (BackendException e) when (e.InnerException is DbException)
        {
            // As of the entities' own statements: execution strategies look for the provider's exception in it.
            throw new DbUpdateException(e.Message, e.InnerException);
        }
    }

    private void Finish(IEnumerable<Entry> entries)
    {
        foreach (var entry in entries)
        {
            entry.Finish(Queue);
        }
    }

    private void Restore()
    {
        if (_behavior is { } behavior)
        {
            _behavior = null;
            Context.Database.AutoTransactionBehavior = behavior;
        }
    }

    private bool HasChanges() => Tracked(Context.ChangeTracker.HasChanges);

    /// <summary>A look at the change tracker that changes nothing in it.</summary>
    private T Tracked<T>(Func<T> look)
    {
        var detects = Context.ChangeTracker.AutoDetectChangesEnabled;
        Context.ChangeTracker.AutoDetectChangesEnabled = false;
        try
        {
            return look();
        }
        finally
        {
            Context.ChangeTracker.AutoDetectChangesEnabled = detects;
        }
    }

    private static Task WaitAsync(Task task, bool isAsync)
    {
        if (!isAsync)
        {
            task.GetAwaiter().GetResult();
        }

        return task;
    }

    private sealed class Entry(UnsavedTask task, Func<ITaskPayload> payload, EnqueueOptions given, Guid? addedIn)
    {
        private TaskHandle? _handle;

        /// <summary>The caller's transaction that was open when it was added; null for none.</summary>
        internal Guid? AddedIn { get; private set; } = addedIn;

        /// <summary>The transaction that it was written in last; null while it is not written.</summary>
        internal Guid? WrittenIn { get; private set; }

        internal ITaskPayload? Payload { get; private set; }

        internal EnqueueOptions Options { get; private set; } = given;

        internal void Make(DbTransaction? transaction)
        {
            Payload = payload();
            Options = Options with { Id = _handle?.Id ?? Options.Id, Transaction = transaction };
        }

        /// <summary>That transaction is over, and the task is to be saved all the same.</summary>
        internal void SaveLater() => AddedIn = null;

        internal void Written(TaskHandle handle, Guid transaction)
        {
            _handle = handle;
            WrittenIn = transaction;
        }

        internal void Finish(ITaskQueue queue)
        {
            if (_handle is { } handle)
            {
                task.Save(queue, handle);
            }
        }
    }
}
