using Errand.EntityFrameworkCore.Tests;
using Errand.PrivatePostgres;

[assembly: AssemblyFixture(typeof(SharedPostgres))]

namespace Errand.EntityFrameworkCore.Tests;

/// <summary>One server for all tests of this program; it starts with the first that asks.</summary>
public sealed class SharedPostgres : IAsyncDisposable
{
    private readonly SemaphoreSlim _lock = new(1);
    private PostgresCluster? _cluster; // Under the lock.

    public static async Task<PostgresCluster> GetAsync() =>
        await (await TestContext.Current.GetFixture<SharedPostgres>())!.StartAsync();

    public async ValueTask DisposeAsync()
    {
        if (_cluster is not null)
        {
            await _cluster.DisposeAsync();
        }

        _lock.Dispose();
    }

    private async Task<PostgresCluster> StartAsync()
    {
        await _lock.WaitAsync();
        try
        {
            return _cluster ??= await PostgresCluster.StartAsync();
        }
        finally
        {
            _lock.Release();
        }
    }
}
