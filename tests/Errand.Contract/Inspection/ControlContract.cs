namespace Errand.Contract;

/// <summary>Capabilities beyond the contract.</summary>
public abstract class ControlContract<TStore> : StoreTest<TStore>
    where TStore : Store, new()
{
    [Fact]
    public void A_store_gives_the_capabilities_that_it_has_and_null_for_others()
    {
        var backend = Live();

        Assert.NotNull(backend.Control<IQueueInspector>());
        Assert.Same(backend, backend.Control<IBackend>());
        Assert.Null(backend.Control<IComparable>());
    }
}
