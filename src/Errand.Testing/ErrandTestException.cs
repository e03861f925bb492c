namespace Errand.Testing;

/// <summary>An expectation of a test was not met.</summary>
/// <param name="message">What was expected, and what there is.</param>
public sealed class ErrandTestException(string message) : ErrandException(message);
