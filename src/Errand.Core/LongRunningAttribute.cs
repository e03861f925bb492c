namespace Errand;

/// <summary>
/// The handler blocks its thread, or computes for long: it begins on a thread of the worker's own, so that the thread pool is left to
/// the rest of the program. On a payload, or on the method or class that handles it.
/// </summary>
/// <remarks>
/// A handler that returns no task (<c>void</c>, or its result) is run so without it. What follows the first <c>await</c> that has to
/// wait is run on the thread pool.
/// </remarks>
[AttributeUsage(AttributeTargets.Class | AttributeTargets.Struct | AttributeTargets.Method)]
public sealed class LongRunningAttribute : Attribute;
