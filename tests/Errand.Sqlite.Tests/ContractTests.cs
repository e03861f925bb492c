using Errand.Contract;

namespace Errand.Sqlite.Tests;

public sealed class ContractTests
{
    [Fact]
    public void Every_store_inherits_the_whole_contract() => Assert.Empty(Contracts.MissingIn(typeof(ContractTests).Assembly));
}
