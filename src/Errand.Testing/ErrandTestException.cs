namespace Errand.Testing;

/// <summary>An expectation of a test was not met. The message says what was expected, and what there is.</summary>
/// <param name="message">Both, in words.</param>
public sealed class ErrandTestException(string message) : Exception(message);
