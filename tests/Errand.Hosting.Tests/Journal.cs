using System.Collections.Concurrent;

namespace Errand.Hosting.Tests;

/// <summary>What handlers say that they did.</summary>
public sealed class Journal
{
    private readonly ConcurrentQueue<string> _entries = new();

    public string[] Entries => [.. _entries];

    public void Add(string entry) => _entries.Enqueue(entry);
}
