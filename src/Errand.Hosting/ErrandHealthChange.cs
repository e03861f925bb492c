namespace Errand.Hosting;

/// <summary>What a health check's registration says of its thresholds, for <see cref="ErrandParts"/> to find and check.</summary>
internal sealed record ErrandHealthChange(Func<ErrandHealthOptions, ErrandHealthOptions> Change);
