using System.Reflection;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.ChangeTracking;

namespace Errand.EntityFrameworkCore;

/// <summary>
/// Keys and other values that the database has generated. Entity Framework Core sets them in the entities only after its commit;
/// tasks that hold them are made before.
/// </summary>
internal readonly struct StoreGeneratedValues : IDisposable
{
    private readonly List<(FieldInfo Field, object Entity, object? Value)> _hidden;

    private StoreGeneratedValues(List<(FieldInfo, object, object?)> hidden)
    {
        _hidden = hidden;
    }

    /// <summary>
    /// Sets the values in the entities until the result is disposed, because a save that fails must find them as they were. The change
    /// tracker must not detect changes meanwhile.
    /// </summary>
    internal static StoreGeneratedValues Shown(DbContext context)
    {
        List<(FieldInfo, object, object?)> hidden = [];
        foreach (var entry in context.ChangeTracker.Entries().Where(entry => entry.State is EntityState.Added or EntityState.Modified).ToArray())
        {
            Show(entry, hidden);
        }

        return new StoreGeneratedValues(hidden);
    }

    public void Dispose()
    {
        foreach (var (field, entity, value) in _hidden)
        {
            field.SetValue(entity, value);
        }
    }

    private static void Show(EntityEntry entry, List<(FieldInfo, object, object?)> hidden)
    {
        foreach (var property in entry.Metadata.GetProperties())
        {
            // The field: a setter may be missing, or do more.
            if (property.FieldInfo is { } field && field.DeclaringType!.IsInstanceOfType(entry.Entity))
            {
                var value = field.GetValue(entry.Entity);
                var saved = entry.Property(property).CurrentValue;
                if (!Equals(value, saved))
                {
                    hidden.Add((field, entry.Entity, value));
                    field.SetValue(entry.Entity, saved);
                }
            }
        }
    }
}
