using Errand;

namespace OpenTelemetry.Trace;

/// <summary>The spans of Errand.</summary>
public static class ErrandTracerProviderBuilderExtensions
{
    /// <summary>
    /// Collects the spans of Errand: <c>enqueue default</c>, <c>process default</c> for each attempt, and one for the write of its
    /// outcome. Calling it twice changes nothing.
    /// </summary>
    /// <param name="builder">The builder of the tracer provider.</param>
    /// <returns>The builder, to continue with.</returns>
    public static TracerProviderBuilder AddErrandInstrumentation(this TracerProviderBuilder builder)
    {
        ArgumentNullException.ThrowIfNull(builder);
        return builder.AddSource(ErrandTelemetry.ActivitySourceName);
    }
}
