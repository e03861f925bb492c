using System.Globalization;

namespace Errand;

/// <summary>A retry policy as it is stored: nothing for the default, so that most rows carry none.</summary>
internal static class RetryText
{
    internal static string? Of(RetryPolicy policy)
    {
        var isDefault = ReferenceEquals(policy, RetryPolicy.Default)
            || policy with { MaxAttempts = RetryPolicy.Default.MaxAttempts } == RetryPolicy.Default;
        return isDefault
            ? null
            : string.Create(
                CultureInfo.InvariantCulture,
                $"{(long)policy.Delay.TotalMilliseconds},{(long)policy.MaxDelay.TotalMilliseconds},{policy.Factor:R},{policy.Jitter:R}");
    }

    internal static RetryPolicy Read(string? text, int maxAttempts)
    {
        if (text is null)
        {
            return maxAttempts == RetryPolicy.Default.MaxAttempts
                ? RetryPolicy.Default
                : RetryPolicy.Default with { MaxAttempts = maxAttempts };
        }

        var parts = text.Split(',');
        return new RetryPolicy
        {
            MaxAttempts = maxAttempts,
            Delay = TimeSpan.FromMilliseconds(long.Parse(parts[0], CultureInfo.InvariantCulture)),
            MaxDelay = TimeSpan.FromMilliseconds(long.Parse(parts[1], CultureInfo.InvariantCulture)),
            Factor = double.Parse(parts[2], CultureInfo.InvariantCulture),
            Jitter = double.Parse(parts[3], CultureInfo.InvariantCulture),
        };
    }
}
