using FsCheck;
using FsCheck.Fluent;

namespace Errand.Tests;

/// <summary>Values for properties: limits and what lies around them more often than chance would have it.</summary>
internal static class Draw
{
    private static readonly TimeSpan Month = TimeSpan.FromDays(30);

    private static readonly Gen<char> Characters = Gen.Frequency(
        (6, Gen.Elements("abzAZ09._-:/".ToCharArray())),
        (2, Gen.Elements("äßЖ中٣ªⅧ".ToCharArray())),
        (2, Gen.Elements(" *=,%\\\"'\n\t\u202E\u200B".ToCharArray())),
        (1, Gen.Elements('\0', '\uD83D', '\uDCA5', '\uFFFF')),
        (1, Gen.Choose(0, char.MaxValue).Select(code => (char)code)));

    internal static Gen<int> Attempt { get; } = Gen.OneOf(Gen.Choose(1, 10_000), Gen.Elements(1, 2, 1_024, 1_025, 10_000));

    /// <summary>Any text: names and what is nearly one, long ones, ones with half a surrogate pair.</summary>
    internal static Gen<string> Text { get; } = Gen.OneOf(
        Characters.ListOf().Select(characters => string.Concat(characters)),
        Gen.Elements("", "a", "default", "mail-*", "*", "mail=6", "=", "💥", "a=b=c"),
        from length in Gen.Elements(127, 128, 129, 130, 511, 512, 513, 1_024, 1_025)
        from character in Characters
        select new string(character, length));

    internal static Gen<string> Name { get; } =
        from length in Gen.OneOf(Gen.Choose(1, 12), Gen.Elements(1, 127, 128))
        from characters in Gen.Elements("abzAZ09._-:/äЖ中".ToCharArray()).ListOf(length)
        select string.Concat(characters);

    internal static Gen<double> Between(double low, double high) => Gen.OneOf(
        Gen.Elements(low, high, Math.BitIncrement(low), Math.BitDecrement(high)),
        Gen.Choose(0, int.MaxValue).Select(part => low + (high - low) * part / int.MaxValue));

    internal static Gen<TimeSpan> Between(TimeSpan low, TimeSpan high) => Gen.OneOf(
        Gen.Elements(low, high),
        Between(0d, 1d).Select(part => low + part * (high - low)),
        Gen.Choose(0, 100_000).Select(ticks => Least(low + TimeSpan.FromTicks(ticks), high)));

    /// <summary>A policy that is allowed.</summary>
    internal static Gen<RetryPolicy> Policy { get; } =
        from maxDelay in Between(TimeSpan.Zero, Month)
        from delay in Between(TimeSpan.Zero, maxDelay)
        from factor in Between(1d, 10d)
        from jitter in Between(0d, 1d)
        from attempts in Attempt
        select new RetryPolicy { MaxAttempts = attempts, Delay = delay, MaxDelay = maxDelay, Factor = factor, Jitter = jitter };

    /// <summary>A policy that may be allowed: each value is within its limits mostly, else at or beyond them.</summary>
    internal static Gen<RetryPolicy> AnyPolicy { get; } =
        from policy in Gen.OneOf(Policy, Gen.Constant(RetryPolicy.Default), Gen.Constant(RetryPolicy.None))
        from attempts in Mostly(policy.MaxAttempts, int.MinValue, -1, 0, 10_001, int.MaxValue)
        from delay in Mostly(policy.Delay, AroundOf(TimeSpan.Zero, Month))
        from maxDelay in Mostly(policy.MaxDelay, AroundOf(TimeSpan.Zero, Month))
        from factor in Mostly(
            policy.Factor, double.NaN, double.NegativeInfinity, double.PositiveInfinity, -1, 0, Math.BitDecrement(1d), Math.BitIncrement(10d))
        from jitter in Mostly(
            policy.Jitter, double.NaN, double.NegativeInfinity, double.PositiveInfinity, -double.Epsilon, Math.BitIncrement(1d))
        select new RetryPolicy { MaxAttempts = attempts, Delay = delay, MaxDelay = maxDelay, Factor = factor, Jitter = jitter };

    /// <summary>Any length of time.</summary>
    internal static Gen<TimeSpan> AnyTime { get; } = Gen.OneOf(
        Between(TimeSpan.MinValue / 4, TimeSpan.MaxValue / 4), Gen.Elements(AroundOf(TimeSpan.Zero, TimeSpan.FromDays(3650))));

    /// <summary>Any moment, the limits of what is stored more often.</summary>
    internal static Gen<DateTimeOffset> AnyMoment { get; } = Gen.OneOf(
        Gen.Elements(
            DateTimeOffset.MinValue, DateTimeOffset.MaxValue, DateTimeOffset.UnixEpoch, DateTimeOffset.UnixEpoch.AddTicks(-1),
            new DateTimeOffset(1970, 1, 1, 0, 0, 0, TimeSpan.FromHours(1)), new DateTimeOffset(9999, 12, 31, 23, 59, 59, TimeSpan.Zero)),
        Gen.Choose(1, 9_999).Select(year => new DateTimeOffset(year, 7, 1, 12, 0, 0, TimeSpan.FromHours(-3))));

    internal static Gen<T> Mostly<T>(T usual, params T[] others) => Gen.Frequency((12, Gen.Constant(usual)), (1, Gen.Elements(others)));

    internal static Gen<T?> OrNull<T>(this Gen<T> values)
        where T : struct => Gen.Frequency((1, Gen.Constant<T?>(null)), (1, values.Select(value => (T?)value)));

    internal static Gen<string?> OrNothing(this Gen<string> values) =>
        Gen.Frequency((1, Gen.Constant<string?>(null)), (1, values.Select(value => (string?)value)));

    internal static TimeSpan[] AroundOf(TimeSpan low, TimeSpan high)
    {
        var tick = TimeSpan.FromTicks(1);
        return [TimeSpan.MinValue, low - tick, low, low + tick, high - tick, high, high + tick, TimeSpan.MaxValue];
    }

    private static TimeSpan Least(TimeSpan one, TimeSpan other) => one < other ? one : other;
}
