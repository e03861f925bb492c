namespace Errand;

/// <summary>
/// The names under which Errand reports to OpenTelemetry: give them to <c>AddSource</c> and <c>AddMeter</c>. The trace context of
/// an enqueue travels in the task, and the span of each attempt links to it. Where nobody listens, nothing is measured.
/// </summary>
public static class ErrandTelemetry
{
    /// <summary>The name of the activity source: <c>Errand</c>.</summary>
    public const string ActivitySourceName = "Errand";

    /// <summary>The name of the meter: <c>Errand</c>.</summary>
    public const string MeterName = "Errand";
}
