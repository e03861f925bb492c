using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Errand.Hosting;

/// <summary>
/// What a builder was told and the configuration says, put together and checked: either all of it works, or one exception tells
/// everything that does not.
/// </summary>
internal sealed class ErrandParts : IAsyncDisposable
{
    private readonly ErrandBuilder _builder;
    private readonly IServiceProvider _services;
    private readonly List<string> _problems = [];
    private readonly TaskQueueOptions _queue;
    private readonly TaskWorkerOptions _worker;
    private readonly TaskHandlers _handlers = new();

    /// <exception cref="InvalidOptionsException">Something cannot work; it lists all of it.</exception>
    internal ErrandParts(ErrandBuilder builder, IServiceProvider services)
    {
        _builder = builder;
        _services = services;
        _queue = Configured(
            "Queue", new TaskQueueOptions(), (options, values) => options.With(values), builder.QueueChanges,
            options => options.Validated());
        _worker = Configured(
            "Worker", new TaskWorkerOptions(), (options, values) => options.With(values), builder.WorkerChanges,
            options => options.Validated());
        Health = Configured(
            "Health", new ErrandHealthOptions(), (options, values) => options.With(values), HealthChanges(),
            options => options.Validated());
        AddHandlers();
        var backend = CreateBackend();
        CheckKey();
        if (backend is null || _problems.Count > 0)
        {
            // A backend that was made has not opened anything: its disposal ends at once.
            backend?.DisposeAsync().AsTask().GetAwaiter().GetResult();
            throw new InvalidOptionsException(builder.Key is { } key ? $"AddErrand(\"{key}\")" : "AddErrand", _problems);
        }

        Backend = backend;
    }

    internal IBackend Backend { get; }

    internal bool HasWorker => _builder.HasWorker;

    internal ErrandHealthOptions Health { get; }

    /// <exception cref="InvalidOperationException">The backend cannot be inspected.</exception>
    internal IQueueInspector Inspector => Backend.Control<IQueueInspector>()
        ?? throw new InvalidOperationException(
            $"The backend {Backend.GetType().Name} has no IQueueInspector: it cannot be inspected.");

    internal TaskQueue NewQueue() => new(Backend, _queue);

    internal TaskWorker NewWorker() => new(Backend, _handlers, _worker, _services.GetService<ILogger<TaskWorker>>());

    public ValueTask DisposeAsync() => Backend.DisposeAsync();

    private T Configured<T>(
        string section, T options, Func<T, OptionValues, T> read, Func<T, T> change, Func<T, T> validate)
    {
        var values = Values(section);
        options = change(read(options, values));
        _problems.AddRange(values.Problems);
        try
        {
            return validate(options);
        }
        catch (InvalidOptionsException e)
        {
            _problems.AddRange(e.Problems.Select(problem => $"{section}.{problem}"));
            return options;
        }
    }

    private Func<ErrandHealthOptions, ErrandHealthOptions> HealthChanges() =>
        _services.GetKeyedServices<ErrandHealthChange>(_builder.Key).Aggregate(
            (ErrandHealthOptions options) => options, (before, one) => options => one.Change(before(options)));

    private void AddHandlers()
    {
        var knows = _services.GetService<IServiceProviderIsService>(); // A container of somebody else's may not tell.
        foreach (var handler in _builder.Handlers)
        {
            try
            {
                handler.AddTo(_handlers, _services.GetRequiredService<IServiceScopeFactory>());
            }
            catch (Exception e) when (e is ArgumentException or InvalidOperationException)
            {
                _problems.Add(e.Message.TrimEnd('.'));
            }

            if (_builder.HasWorker && knows is not null)
            {
                _problems.AddRange(handler.Services.Where(service => !knows.IsService(service)).Select(
                    service => $"the handler of {handler.Payload.Name} asks for {service.Name}, which is not registered"));
            }
        }

        if (_builder.HasWorker && _builder.Handlers.Count == 0)
        {
            _problems.Add("there is no handler; add one (AddHandler), or call WithoutWorker where tasks are only enqueued");
        }
    }

    private IBackend? CreateBackend()
    {
        if (_builder.Backends.Count != 1)
        {
            _problems.Add(_builder.Backends.Count == 0
                ? "there is no backend; add one, such as UseSqlite(\"tasks.db\")"
                : $"there are {_builder.Backends.Count} backends; keep one, and add others under a key of their own");
            return null;
        }

        var (section, create) = _builder.Backends[0];
        var values = Values(section);
        try
        {
            return create(_services, values);
        }
        catch (InvalidOptionsException e)
        {
            _problems.AddRange(e.Problems.Select(problem => $"{section}.{problem}"));
            return null;
        }
        finally
        {
            _problems.AddRange(values.Problems);
        }
    }

    /// <summary>A key that is also the name of a section would give two meanings to what stands in it.</summary>
    private void CheckKey()
    {
        string[] sections = ["Queue", "Worker", "Health", .. _builder.Backends.Select(backend => backend.Section)];
        if (_builder.Key is { } key && (key.Contains(':') || sections.Contains(key, StringComparer.OrdinalIgnoreCase)))
        {
            _problems.Add($"the key '{key}' cannot be told from the configuration's own names; choose another");
        }
    }

    private OptionValues Values(string section)
    {
        var path = _builder.Key is { } key ? $"Errand:{key}:{section}" : $"Errand:{section}";
        return new OptionValues(
            path, _services.GetService<IConfiguration>()?.GetSection(path).AsEnumerable(makePathsRelative: true) ?? []);
    }
}
