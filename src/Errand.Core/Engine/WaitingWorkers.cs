using Errand.Storage;
using System.Collections;

namespace Errand.Engine;

/// <summary>The workers that wait for tasks, in the order in which they came.</summary>
internal sealed class WaitingWorkers<TTurn, TWaiting>(IInbox<TTurn> inbox, TimeProvider time) : IEnumerable<TWaiting>
    where TWaiting : WaitingWorker<TTurn>
{
    private readonly List<TWaiting> _waiting = [];

    internal int Count => _waiting.Count;

    /// <summary>Submits a request, and waits for its tasks.</summary>
    internal async ValueTask<IReadOnlyList<ReservedTask>> ReserveAsync(TWaiting worker, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        inbox.Submit(worker);

        // The answer is always waited for: a task that was reserved at the moment of cancellation is not lost.
        await using (EndWhenCancelled(worker, cancellationToken).ConfigureAwait(false))
        {
            var reserved = await worker.Answer.ConfigureAwait(false);
            if (reserved.Count == 0)
            {
                cancellationToken.ThrowIfCancellationRequested();
            }

            return reserved;
        }
    }

    internal void Add(TWaiting worker) => _waiting.Add(worker);

    /// <summary>Hands those that have been given something their tasks; a wait for the first tasks ends with them.</summary>
    internal void Deliver(Func<TWaiting, bool> hasTasks)
    {
        for (var i = _waiting.Count - 1; i >= 0; i--)
        {
            if (hasTasks(_waiting[i]) && !_waiting[i].HandOver())
            {
                Complete(i);
            }
        }
    }

    internal void EndExpired()
    {
        for (var i = _waiting.Count - 1; i >= 0; i--)
        {
            if (_waiting[i].IsOver)
            {
                Complete(i);
            }
        }
    }

    internal void Plan(Agenda agenda)
    {
        foreach (var worker in _waiting)
        {
            if (worker.Deadline != long.MaxValue)
            {
                agenda.In(time.GetElapsedTime(time.GetTimestamp(), worker.Deadline));
            }
        }
    }

    internal void FailAll(Exception exception)
    {
        foreach (var worker in _waiting)
        {
            worker.Fail(exception);
        }

        _waiting.Clear();
    }

    /// <summary>An incarnation is gone: what waits for it is given nothing more.</summary>
    internal void FailOf(long owner, Exception exception)
    {
        foreach (var worker in _waiting.Where(worker => worker.Owner == owner).ToArray())
        {
            _waiting.Remove(worker);
            worker.Fail(exception);
        }
    }

    public List<TWaiting>.Enumerator GetEnumerator() => _waiting.GetEnumerator();

    IEnumerator<TWaiting> IEnumerable<TWaiting>.GetEnumerator() => GetEnumerator();

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();

    private CancellationTokenRegistration EndWhenCancelled(TWaiting worker, CancellationToken cancellationToken) =>
        cancellationToken.UnsafeRegister(
            static state =>
            {
                var (waiting, worker) = ((WaitingWorkers<TTurn, TWaiting>, TWaiting))state!;
                waiting.EndSoon(worker);
            },
            (this, worker));

    private void EndSoon(TWaiting worker) => inbox.TryAdd(new EndWaitNote(this, worker));

    private void End(TWaiting worker)
    {
        if (_waiting.Remove(worker))
        {
            worker.CompleteAlone();
        }
    }

    private void Complete(int place)
    {
        var worker = _waiting[place];
        _waiting.RemoveAt(place);
        worker.CompleteAlone();
    }

    /// <summary>The caller cancelled its wait: the wait ends, unless the worker already has tasks.</summary>
    private sealed class EndWaitNote(WaitingWorkers<TTurn, TWaiting> waiting, TWaiting worker) : Note<TTurn>
    {
        internal override void Hear() => waiting.End(worker);
    }
}
