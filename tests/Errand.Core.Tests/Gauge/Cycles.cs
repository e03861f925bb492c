namespace Errand.Tests.Gauge;

/// <summary>Files that name one another, directly or by way of others: they can only be understood together.</summary>
internal static class Cycles
{
    /// <summary>The strongly connected components with more than one file, by Tarjan's algorithm, largest first.</summary>
    internal static List<string[]> Of(Dictionary<string, HashSet<string>> references)
    {
        var index = new Dictionary<string, int>(StringComparer.Ordinal);
        var low = new Dictionary<string, int>(StringComparer.Ordinal);
        var stack = new Stack<string>();
        var onStack = new HashSet<string>(StringComparer.Ordinal);
        List<string[]> cycles = [];
        foreach (var file in references.Keys.Where(file => !index.ContainsKey(file)))
        {
            Visit(file);
        }

        return [.. cycles.OrderByDescending(cycle => cycle.Length)];

        void Visit(string file)
        {
            index[file] = low[file] = index.Count;
            stack.Push(file);
            onStack.Add(file);
            foreach (var next in references[file])
            {
                if (!index.TryGetValue(next, out var seen))
                {
                    Visit(next);
                    low[file] = Math.Min(low[file], low[next]);
                }
                else if (onStack.Contains(next))
                {
                    low[file] = Math.Min(low[file], seen);
                }
            }

            if (low[file] == index[file])
            {
                List<string> cycle = [];
                string one;
                do
                {
                    onStack.Remove(one = stack.Pop());
                    cycle.Add(one);
                }
                while (one != file);
                if (cycle.Count > 1)
                {
                    cycles.Add([.. cycle.Order(StringComparer.Ordinal)]);
                }
            }
        }
    }
}
