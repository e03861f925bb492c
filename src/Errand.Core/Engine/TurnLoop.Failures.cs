namespace Errand.Engine;

/// <summary>
/// What becomes of a turn that fails: each operation alone, or none of them; and what a newer schema leaves to do.
/// </summary>
internal abstract partial class TurnLoop<TTurn>
{
    /// <summary>Nothing of this turn was done, and nobody is left waiting for it.</summary>
    protected virtual async Task FailAllAsync(BackendException exception)
    {
        _upkeepFailed = true; // What is overdue is not tried in a circle.
        await AfterFailureAsync(exception).ConfigureAwait(false);
        foreach (var operation in Arrived)
        {
            operation.Fail(exception);
        }

        foreach (var part in parts.All)
        {
            part.Failed(exception);
        }
    }

    private async Task EachAloneAsync(List<Operation<TTurn>> operations)
    {
        var began = TimeProvider.System.GetTimestamp();
        BackendException? heldUp = null;
        foreach (var operation in operations)
        {
            if (heldUp is not null && TimeProvider.System.GetElapsedTime(began) >= BusyTimeout)
            {
                operation.Fail(heldUp); // It is not about one of them: nobody gets on.
                continue;
            }

            try
            {
                operation.NoteAlone();
                await OpenAsync().ConfigureAwait(false);
                await PrepareAloneAsync(operation).ConfigureAwait(false);
                var isSettle = operation.Stage == TurnStage.Settle;
                await TransactAsync(isSettle ? [operation] : [], isSettle ? [] : [operation], fill: false).ConfigureAwait(false);
            }
            catch (BackendException e)
            {
                heldUp = IsHeldUp(e) ? e : heldUp;
                await AfterFailureAsync(e).ConfigureAwait(false);
                operation.Fail(e);
            }
            catch (Exception e)
            {
                await AfterFailureAsync(e).ConfigureAwait(false);
                operation.Fail(Fault(e));
            }
        }
    }

    private async Task FillAloneAsync()
    {
        try
        {
            await OpenAsync().ConfigureAwait(false);
            await TransactAsync([], [], fill: true).ConfigureAwait(false);
        }
        catch (Exception e)
        {
            await AfterFailureAsync(e).ConfigureAwait(false);
            var failure = e as BackendException ?? Fault(e);
            foreach (var part in parts.All)
            {
                part.Failed(failure);
            }
        }
    }

    private void NoteUpkeepFailed(Exception exception)
    {
        _upkeepFailed = true;
        ReportUpkeepFailed(exception);
    }

    /// <summary>
    /// A newer version of Errand has upgraded the store: what runs is finished, and everything else is refused.
    /// </summary>
    private void TakeNothingNew(SchemaTooNewException outdated, List<Operation<TTurn>> settles, List<Operation<TTurn>> enqueues)
    {
        if (!_isOutdated)
        {
            _isOutdated = true;
            _reports.Add(() => ReportOutdated(outdated));
        }

        foreach (var operation in settles.Concat(enqueues).Where(operation => !operation.Finishes))
        {
            operation.Fail(outdated);
        }

        settles.RemoveAll(operation => !operation.Finishes);
        enqueues.RemoveAll(operation => !operation.Finishes);
    }
}
