using System.Text.Json;
using Errand.Diagnostics;
using Errand.Payloads;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Errand.Hosting;

/// <summary>
/// What a builder was told and the configuration says, put together and checked: either all of it works, or one exception tells
/// everything that does not.
/// </summary>
internal sealed class ErrandParts : IAsyncDisposable, IDisposable
{
    private readonly ErrandBuilder _builder;
    private readonly IServiceProvider _services;
    private readonly ErrandSections _sections;
    private readonly List<string> _problems = [];
    private readonly List<WorkerPlan> _workers = [];

    /// <exception cref="InvalidOptionsException">Something cannot work; it lists all of it.</exception>
    internal ErrandParts(ErrandBuilder builder, IServiceProvider services)
    {
        _builder = builder;
        _services = services;
        _sections = new ErrandSections(builder, services.GetService<IConfiguration>());
        var defaults = Configured(
            "Defaults", TaskDefaults.None, (options, values) => options.With(values), options => options,
            options => options.Validated());
        Queue = Configured(
            "Queue", new TaskQueueOptions { Defaults = _problems.Count == 0 ? defaults : TaskDefaults.None },
            (options, values) => options.With(values), builder.QueueChanges, options => options.Validated());
        AddWorkers();
        ShareJson();
        Health = Configured(
            "Health", new ErrandHealthOptions(), (options, values) => options.With(values), HealthChanges(),
            options => options.Validated());
        StoreWait = ReadStoreWait();
        CheckHandlers();
        AddMiddleware();
        CheckPayloads();
        var backend = CreateBackend();
        CheckNames();
        if (backend is null || _problems.Count > 0)
        {
            // A backend that was made has not opened anything: its disposal ends at once.
            backend?.Dispose();
            throw new InvalidOptionsException(builder.Key is { } key ? $"AddErrand(\"{key}\")" : "AddErrand", _problems);
        }

        Backend = backend;
    }

    internal IBackend Backend { get; }

    internal TaskQueueOptions Queue { get; private set; }

    /// <summary>The workers of this process; none if it only enqueues.</summary>
    internal IReadOnlyList<WorkerPlan> Workers => _workers;

    internal ErrandHealthOptions Health { get; }

    /// <summary>Whether a test runs the tasks, in a store of its own.</summary>
    internal bool IsUnderTest => _services.GetService<TestStore>() is not null;

    /// <summary>How long the start waits for a store that cannot be used yet.</summary>
    internal TimeSpan StoreWait { get; }

    /// <exception cref="InvalidOperationException">The backend cannot be inspected.</exception>
    internal IQueueInspector Inspector => Backend.Control<IQueueInspector>()
        ?? throw new InvalidOperationException(
            $"The backend {Backend.GetType().Name} has no IQueueInspector: it cannot be inspected.");

    internal TaskQueue NewQueue() => new(Backend, Queue with { Learned = WarnIfNobodyHandles });

    /// <summary>What the workers know, and by default goes to a queue that none of those serves.</summary>
    internal IEnumerable<(string Name, string Queue)> NotServed()
    {
        var kinds = new TaskKinds(new TaskNames(), Queue);
        return _workers.SelectMany(worker => worker.Handlers.Copy().Values.Select(handler => (Kind: kinds.Of(handler.Payload), worker)))
            .GroupBy(known => known.Kind, known => known.worker.Options.Queues)
            .Where(known => !known.Any(queues => queues.Any(queue => queue.Matches(known.Key.Queue))))
            .Select(known => (known.Key.Name, known.Key.Queue));
    }

    /// <summary>A task that a worker here is offered and cannot run is a handler that was forgotten, or another process's.</summary>
    private void WarnIfNobodyHandles(TaskKind kind)
    {
        if (_workers.Any(worker => worker.Options.Queues.Any(queue => queue.Matches(kind.Queue)))
            && !_workers.Any(worker => worker.Handlers.Copy().ContainsKey(kind.Name))
            && _services.GetService<ILogger<TaskWorker>>() is { } logger)
        {
            Log.NoHandler(logger, kind.Name, kind.Queue);
        }
    }

    /// <param name="worker">The worker's handlers and options.</param>
    /// <param name="time">The clock in place of the worker's own; null keeps that.</param>
    internal TaskWorker NewWorker(WorkerPlan worker, TimeProvider? time = null) => new(
        Backend, worker.Handlers, time is null ? worker.Options : worker.Options with { TimeProvider = time },
        _services.GetService<ILogger<TaskWorker>>());

    public ValueTask DisposeAsync() => Backend.DisposeAsync();

    public void Dispose() => Backend.Dispose();

    private T Configured<T>(
        string section, T options, Func<T, OptionValues, T> read, Func<T, T> change, Func<T, T> validate)
    {
        var values = _sections.Values(section);
        options = change(read(options, values));
        _problems.AddRange(values.Problems);
        try
        {
            return validate(options);
        }
        catch (InvalidOptionsException e)
        {
            _problems.AddRange(e.Problems.Select(problem => $"{values.Section}:{problem}"));
            return options;
        }
    }

    private Func<ErrandHealthOptions, ErrandHealthOptions> HealthChanges() =>
        _services.GetKeyedServices<ErrandHealthChange>(_builder.Key).Aggregate(
            (ErrandHealthOptions options) => options, (before, one) => options => one.Change(before(options)));

    private TimeSpan ReadStoreWait()
    {
        var values = _sections.WaitValue();
        var wait = values.Read(ErrandSections.Wait, _builder.StoreWait);
        _problems.AddRange(values.Problems);
        if (wait < TimeSpan.Zero || wait > TimeSpan.FromDays(1))
        {
            _problems.Add($"{values.Section}:{ErrandSections.Wait} is {wait}; allowed is zero to 1 day");
        }

        return wait;
    }

    /// <summary>The first worker, and those that begin with its options and change them.</summary>
    private void AddWorkers()
    {
        var first = Configured(
            "Worker", new TaskWorkerOptions(), (options, values) => options.With(values), _builder.WorkerChanges,
            options => options.Validated());
        var others = _builder.Workers.Select(one => (one.Value, Options: Configured(
            ErrandSections.WorkerSection(one.Key), first, (options, values) => options.With(values), one.Value.WorkerChanges,
            options => options.Validated()))).ToArray();
        var handlers = HandlersOf(_builder);
        if (!_builder.HasWorker)
        {
            return;
        }

        if (_builder.Handlers.Count > 0)
        {
            _workers.Add(new WorkerPlan(first, handlers));
        }

        foreach (var (builder, options) in others)
        {
            var own = builder.Handlers.Count == 0 ? handlers : HandlersOf(builder);
            if (builder.HasWorker && (builder.Handlers.Count > 0 || _builder.Handlers.Count > 0))
            {
                _workers.Add(new WorkerPlan(options, own));
            }
        }

        if (_workers.Count == 0)
        {
            _problems.Add("there is no handler; add one (AddHandler), or call WithoutWorker where tasks are only enqueued");
        }
    }

    private TaskHandlers HandlersOf(ErrandBuilder builder)
    {
        var handlers = new TaskHandlers();
        foreach (var handler in builder.Handlers)
        {
            try
            {
                handler.AddTo(handlers);
            }
            catch (Exception e) when (e is ArgumentException or InvalidOperationException)
            {
                _problems.Add(e.Message.TrimEnd('.'));
            }
        }

        return handlers;
    }

    /// <summary>Every attempt has a scope; a call that enqueues has one only if something surrounds it.</summary>
    private void AddMiddleware()
    {
        var scopes = _services.GetRequiredService<IServiceScopeFactory>();
        if (_builder.Middleware.Count > 0)
        {
            Queue = Queue with { MiddlewareSource = new ScopedMiddleware(scopes, _builder, Queue.Middleware, []) };
        }

        for (var i = 0; i < _workers.Count; i++)
        {
            var options = _workers[i].Options;
            var source = new ScopedMiddleware(scopes, _builder, options.Middleware, options.FailureHandlers);
            _workers[i] = _workers[i] with { Options = options with { MiddlewareSource = source } };
        }
    }

    private void CheckHandlers()
    {
        var knows = _services.GetService<IServiceProviderIsService>(); // A container of somebody else's may not tell.
        if (_builder.HasWorker && knows is not null)
        {
            _problems.AddRange((
                from handler in _builder.Handlers.Concat(_builder.Workers.Values.SelectMany(one => one.Handlers))
                let source = handler.Source
                from service in source.MissingIn(knows, _builder.Services)
                select $"the handler of {handler.Payload.Name} {(source.Class is { } type ? $"({type.Name}) " : "")}asks for {service}, "
                    + "which is not registered").Distinct(StringComparer.Ordinal));
        }

        if (knows is not null)
        {
            _problems.AddRange(
                from source in _builder.Middleware.Concat(_builder.FailureHandlers)
                from service in source.MissingIn(knows, _builder.Services)
                select $"{source.Class!.Name} asks for {service}, which is not registered");
        }
    }

    /// <summary>
    /// What the queue writes the workers read, and the other way round. Options that were given to one of them are those of all.
    /// </summary>
    private void ShareJson()
    {
        JsonSerializerOptions?[] given =
            [.. _workers.Select(worker => worker.Options.Json).Append(Queue.Json).Where(json => json is not null).Distinct()];
        if (given.Length > 1)
        {
            _problems.Add("the queue and the workers have different JSON options, and could not read each other; set them once with UseJson");
        }
        else if (given.Length == 1)
        {
            Queue = Queue with { Json = given[0] };
            for (var i = 0; i < _workers.Count; i++)
            {
                _workers[i] = _workers[i] with { Options = _workers[i].Options with { Json = given[0] } };
            }
        }
    }

    /// <summary>A name belongs to one payload in all workers; and what is stored comes back from JSON as it went.</summary>
    private void CheckPayloads()
    {
        var names = new TaskNames();
        var kinds = new TaskKinds(names, Queue);
        foreach (var worker in _workers)
        {
            var serializer = new PayloadSerializer(worker.Options.Json, worker.Options.MaxResultBytes);
            foreach (var handler in worker.Handlers.Copy().Values.Distinct())
            {
                try
                {
                    names.Of(handler.Payload, worker.Options.RequireTaskName);
                    handler.Check(serializer);
                    kinds.Of(handler.Payload);
                }
                catch (ArgumentException e)
                {
                    _problems.Add(e.Message.TrimEnd('.'));
                }
            }
        }
    }

    private IBackend? CreateBackend()
    {
        if (_services.GetService<TestStore>() is { } test)
        {
            return test.Create();
        }

        if (_builder.Backend is not { } backend)
        {
            _problems.Add("there is no backend; add one, such as UseSqlite(\"tasks.db\")");
            return null;
        }

        var values = _sections.Values(backend.Section);
        try
        {
            return backend.Create(_services, values);
        }
        catch (InvalidOptionsException e)
        {
            _problems.AddRange(e.Problems.Select(problem => $"{values.Section}:{problem}"));
            return null;
        }
        catch (ArgumentException e)
        {
            // A path or connection string that cannot be one. The parameter's name says nothing here.
            _problems.Add($"{values.Section}: {e.Message.Replace($" (Parameter '{e.ParamName}')", "", StringComparison.Ordinal).TrimEnd('.')}");
            return null;
        }
        finally
        {
            _problems.AddRange(values.Problems);
        }
    }

    private void CheckNames()
    {
        _problems.AddRange(_sections.Problems());
        if (_builder.Key is { } key && _sections.IsAmbiguous(key))
        {
            _problems.Add($"the key '{key}' cannot be told from the configuration's own names; choose another");
        }
    }

    /// <summary>A worker of this process: its options, and the handlers that it runs.</summary>
    internal sealed record WorkerPlan(TaskWorkerOptions Options, TaskHandlers Handlers);
}
