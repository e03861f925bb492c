using System.ComponentModel;
using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Errand;

/// <summary>
/// The id of one run of a worker, from its start to its stop: a random number that the store assigns and never reuses. In text, in
/// routes and in JSON it is that number.
/// </summary>
/// <remarks>The default value is 0, which is no worker's id. The order of ids says nothing about age.</remarks>
[JsonConverter(typeof(Converter))]
public readonly record struct WorkerId : IComparable<WorkerId>, ISpanParsable<WorkerId>, ISpanFormattable
{
    /// <summary>Wraps a number that the caller has stored or received. Whether a worker has it shows when it is looked up.</summary>
    /// <param name="value">The number.</param>
    public WorkerId(long value) => Value = value;

    /// <summary>The number.</summary>
    public long Value { get; }

    /// <summary>Wraps a number as an id.</summary>
    /// <param name="value">The number.</param>
    public static explicit operator WorkerId(long value) => new(value);

    /// <summary>Gives the number of an id.</summary>
    /// <param name="id">The id.</param>
    public static explicit operator long(WorkerId id) => id.Value;

    /// <summary>Whether one id is smaller than another.</summary>
    public static bool operator <(WorkerId left, WorkerId right) => left.Value < right.Value;

    /// <summary>Whether one id is smaller than another, or the same.</summary>
    public static bool operator <=(WorkerId left, WorkerId right) => left.Value <= right.Value;

    /// <summary>Whether one id is larger than another.</summary>
    public static bool operator >(WorkerId left, WorkerId right) => left.Value > right.Value;

    /// <summary>Whether one id is larger than another, or the same.</summary>
    public static bool operator >=(WorkerId left, WorkerId right) => left.Value >= right.Value;

    /// <summary>Reads an id from its digits.</summary>
    /// <param name="s">The digits, without spaces or separators.</param>
    /// <exception cref="FormatException">The text is not a whole number.</exception>
    /// <exception cref="OverflowException">The number does not fit into a <see cref="long"/>.</exception>
    public static WorkerId Parse(string s) => Parse(s, null);

    /// <inheritdoc cref="Parse(string)"/>
    /// <param name="s">The digits, without spaces or separators.</param>
    /// <param name="provider">Not used: an id reads the same in every culture.</param>
    public static WorkerId Parse(string s, IFormatProvider? provider) =>
        new(long.Parse(s, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture));

    /// <inheritdoc cref="Parse(string, IFormatProvider?)"/>
    public static WorkerId Parse(ReadOnlySpan<char> s, IFormatProvider? provider) =>
        new(long.Parse(s, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture));

    /// <summary>Reads an id from its digits, if they are one.</summary>
    /// <param name="s">The digits, without spaces or separators.</param>
    /// <param name="result">The id; the default value if the text is not a whole number.</param>
    /// <returns>Whether the text is a whole number that fits into a <see cref="long"/>.</returns>
    public static bool TryParse([NotNullWhen(true)] string? s, out WorkerId result) => TryParse(s.AsSpan(), null, out result);

    /// <inheritdoc cref="TryParse(string?, out WorkerId)"/>
    public static bool TryParse([NotNullWhen(true)] string? s, IFormatProvider? provider, out WorkerId result) =>
        TryParse(s.AsSpan(), provider, out result);

    /// <inheritdoc cref="TryParse(string?, out WorkerId)"/>
    public static bool TryParse(ReadOnlySpan<char> s, IFormatProvider? provider, out WorkerId result)
    {
        var isNumber = long.TryParse(s, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var value);
        result = new WorkerId(value);
        return isNumber;
    }

    /// <summary>Compares two ids as numbers.</summary>
    /// <param name="other">The other id.</param>
    public int CompareTo(WorkerId other) => Value.CompareTo(other.Value);

    /// <summary>Writes the number as digits, the same in every culture.</summary>
    public override string ToString() => Value.ToString(CultureInfo.InvariantCulture);

    /// <summary>Writes the number.</summary>
    /// <param name="format">A format of numbers. Null or empty writes the digits.</param>
    /// <param name="formatProvider">The culture of the format. Null is the invariant culture.</param>
    public string ToString(string? format, IFormatProvider? formatProvider) =>
        Value.ToString(format, formatProvider ?? CultureInfo.InvariantCulture);

    /// <inheritdoc/>
    public bool TryFormat(Span<char> destination, out int charsWritten, ReadOnlySpan<char> format, IFormatProvider? provider) =>
        Value.TryFormat(destination, out charsWritten, format, provider ?? CultureInfo.InvariantCulture);

    /// <summary>Writes and reads the id as a JSON number, and as a property name where it is the key of a dictionary.</summary>
    [EditorBrowsable(EditorBrowsableState.Never)]
    public sealed class Converter : JsonConverter<WorkerId>
    {
        /// <inheritdoc/>
        public override WorkerId Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
            new(reader.GetInt64());

        /// <inheritdoc/>
        public override void Write(Utf8JsonWriter writer, WorkerId value, JsonSerializerOptions options)
        {
            ArgumentNullException.ThrowIfNull(writer);
            writer.WriteNumberValue(value.Value);
        }

        /// <inheritdoc/>
        public override WorkerId ReadAsPropertyName(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
            TryParse(reader.GetString(), out var id) ? id : throw new JsonException("The property name is not the id of a worker.");

        /// <inheritdoc/>
        public override void WriteAsPropertyName(Utf8JsonWriter writer, WorkerId value, JsonSerializerOptions options)
        {
            ArgumentNullException.ThrowIfNull(writer);
            writer.WritePropertyName(value.ToString());
        }
    }
}
