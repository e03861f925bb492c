using Errand;

namespace OpenTelemetry.Metrics;

/// <summary>The metrics of Errand.</summary>
public static class ErrandMeterProviderBuilderExtensions
{
    /// <summary>
    /// Collects the metrics of Errand, with the buckets that OpenTelemetry's conventions for messaging advise. Calling it twice
    /// changes nothing.
    /// </summary>
    /// <param name="builder">The builder of the meter provider.</param>
    /// <returns>The builder, to continue with.</returns>
    public static MeterProviderBuilder AddErrandInstrumentation(this MeterProviderBuilder builder)
    {
        ArgumentNullException.ThrowIfNull(builder);
        return builder.AddMeter(ErrandTelemetry.MeterName);
    }
}
