using System.Diagnostics.CodeAnalysis;
using System.Linq.Expressions;
using System.Reflection;
using System.Runtime.CompilerServices;

namespace Errand.Hosting;

/// <summary>
/// A lambda or method of any shape, read once: one parameter is the payload, the others are the attempt's, its token, or services.
/// </summary>
[RequiresUnreferencedCode("Reads the handler's parameters at run time.")]
[RequiresDynamicCode("Reads the handler's parameters at run time.")]
internal sealed class DelegateHandler
{
    private static readonly MethodInfo ResolveMethod =
        typeof(ServiceParameter).GetMethod(nameof(ServiceParameter.Resolve), BindingFlags.Instance | BindingFlags.NonPublic)!;

    private static readonly MethodInfo UpcastMethod =
        ((Func<Task<object>, Task<object>>)UpcastAsync<object, object>).Method.GetGenericMethodDefinition();

    private static readonly MethodInfo FromResultMethod = ((Func<object, Task<object>>)Task.FromResult).Method.GetGenericMethodDefinition();

    private readonly Delegate _handler;
    private readonly ParameterInfo[] _parameters;
    private readonly Type _returns;

    /// <exception cref="ArgumentException">It is no handler; the message says why, and what to write instead.</exception>
    internal DelegateHandler(Delegate handler)
    {
        _handler = handler;
        _returns = handler.Method.ReturnType;
        var taken = handler.GetType().GetMethod("Invoke")!.GetParameters().Length;
        _parameters = handler.Method.GetParameters()[^taken..]; // An extension method has one more, which the delegate has filled.
        Payload = PayloadOf();
        Result = ResultOf();
        Asked = [.. _parameters.Where(parameter => parameter.ParameterType != Payload).Select(ServiceParameter.Of)];
        Check();
    }

    internal Type Payload { get; }

    /// <summary>What the payload's handler returns; null for nothing.</summary>
    internal Type? Result { get; }

    internal ServiceParameter[] Asked { get; }

    /// <summary>It returns no task, so it blocks until it has ended.</summary>
    internal bool IsSynchronous => !IsTask(_returns);

    /// <summary>
    /// A <c>Func&lt;IServiceProvider, TPayload, TaskContext, Task&gt;</c>, or <c>Task&lt;TResult&gt;</c> if there is a result.
    /// </summary>
    internal Delegate Compile()
    {
        var services = Expression.Parameter(typeof(IServiceProvider));
        var task = Expression.Parameter(Payload);
        var context = Expression.Parameter(typeof(TaskContext));
        var arguments = _parameters.Select(parameter => parameter.ParameterType == Payload
            ? (Expression)task
            : Expression.Convert(
                Expression.Call(Expression.Constant(ServiceParameter.Of(parameter)), ResolveMethod, services, context),
                parameter.ParameterType));
        var call = Expression.Invoke(Expression.Constant(_handler, _handler.GetType()), arguments);
        var type = typeof(Func<,,,>).MakeGenericType(
            typeof(IServiceProvider), Payload, typeof(TaskContext), Result is null ? typeof(Task) : typeof(Task<>).MakeGenericType(Result));
        return Expression.Lambda(type, AsTask(call), services, task, context).Compile();
    }

    private Expression AsTask(Expression call)
    {
        if (IsSynchronous)
        {
            return Result is null
                ? Expression.Block(call, Expression.Constant(Task.CompletedTask, typeof(Task)))
                : Expression.Call(FromResultMethod.MakeGenericMethod(Result), Expression.Convert(call, Result));
        }

        var task = typeof(Task).IsAssignableFrom(_returns) ? call : Expression.Call(call, _returns.GetMethod(nameof(ValueTask.AsTask))!);
        return Result is null || task.Type.GenericTypeArguments[0] == Result
            ? task
            : Expression.Call(UpcastMethod.MakeGenericMethod(task.Type.GenericTypeArguments[0], Result), task);
    }

    private static async Task<TResult> UpcastAsync<TOwn, TResult>(Task<TOwn> task)
        where TOwn : TResult => await task.ConfigureAwait(false);

    private Type PayloadOf()
    {
        var payloads = _parameters.Select(parameter => parameter.ParameterType).Where(typeof(ITaskPayload).IsAssignableFrom).ToArray();
        return payloads switch
        {
            [] => throw Refused("takes no payload. Give it one parameter of a type that implements ITask or ITask<TResult>"),
            [var one] when one.IsInterface || one.IsAbstract =>
                throw Refused($"takes {one.Name}, which no task is stored as. Take the payload's own type"),
            [var one] => one,
            _ => throw Refused($"takes {payloads.Length} payloads ({string.Join(", ", payloads.Select(one => one.Name))}). Add a handler for each"),
        };
    }

    private Type? ResultOf()
    {
        var results = Payload.GetInterfaces()
            .Where(one => one.IsGenericType && one.GetGenericTypeDefinition() == typeof(ITask<>))
            .Select(one => one.GenericTypeArguments[0]).ToArray();
        return results switch
        {
            [] => null,
            [var one] => one,
            _ => throw Refused($"handles {Payload.Name}, which implements ITask<TResult> more than once. Let it implement one"),
        };
    }

    private void Check()
    {
        if (_parameters.FirstOrDefault(parameter => parameter.ParameterType.IsByRef || parameter.ParameterType.IsByRefLike) is { } odd)
        {
            throw Refused($"takes '{odd.Name}' as ref, in, out or span. Take it as a value");
        }

        if (_returns == typeof(void) && _handler.Method.IsDefined(typeof(AsyncStateMachineAttribute)))
        {
            throw Refused("is async and returns void, so nobody would know when it ends. Return Task");
        }

        if (Result is null)
        {
            return;
        }

        var given = !IsTask(_returns) ? _returns : _returns.IsGenericType ? _returns.GenericTypeArguments[0] : typeof(void);
        if (!Result.IsAssignableFrom(given))
        {
            throw Refused(
                $"returns {(given == typeof(void) ? "nothing" : given.Name)}, but {Payload.Name} is ITask<{Result.Name}>. Return {Result.Name}, "
                + $"Task<{Result.Name}> or ValueTask<{Result.Name}>");
        }
    }

    private static bool IsTask(Type type) =>
        typeof(Task).IsAssignableFrom(type) || type == typeof(ValueTask)
        || (type.IsGenericType && type.GetGenericTypeDefinition() == typeof(ValueTask<>));

    private ArgumentException Refused(string why) =>
        new($"The handler ({string.Join(", ", _parameters.Select(parameter => parameter.ParameterType.Name))}) {why}.");
}
