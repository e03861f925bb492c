namespace Errand;

/// <summary>How a store is looked at from outside, beside <see cref="IBackend"/>, which runs it. Changes nothing. Thread-safe.</summary>
public interface IQueueInspector
{
    /// <summary>Looks at everything at once, in one snapshot of the store.</summary>
    /// <remarks>
    /// It is cheap enough for a health check: with a million tasks it takes a fraction of a second. What would cost more is
    /// looked at in part; <see cref="QueueOverview"/> says where.
    /// </remarks>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <exception cref="BackendException">The store could not do it; <see cref="BackendException.IsTransient"/> tells more.</exception>
    /// <exception cref="ObjectDisposedException">The backend is disposed.</exception>
    ValueTask<QueueOverview> GetOverviewAsync(CancellationToken cancellationToken = default);
}
