using System.Buffers;
using System.Collections.ObjectModel;
using System.Globalization;
using System.Text;
using System.Text.Json;

namespace Errand.Storage;

/// <summary>Headers as the stores keep them: one JSON object of texts, the trace context of the enqueue among them.</summary>
internal static class TaskHeaders
{
    /// <summary>What all names and values take together, as UTF-8.</summary>
    private const int MaxBytes = 8 * 1024;

    private const string TraceParent = "traceparent";
    private const string TraceState = "tracestate";

    internal static void CollectProblems(IReadOnlyDictionary<string, string> headers, OptionProblems problems)
    {
        var bytes = 0L;
        foreach (var (name, value) in headers)
        {
            if (OptionProblems.NameProblem(name) is { } problem)
            {
                problems.Add($"{nameof(EnqueueOptions.Headers)} has a name that {problem}");
            }
            else if (name is TraceParent or TraceState)
            {
                problems.Add($"{nameof(EnqueueOptions.Headers)} names {name}, which Errand sets from the current activity; leave it out");
            }
            else if (value is null)
            {
                problems.Add($"{nameof(EnqueueOptions.Headers)} has no value for {name}; leave it out");
            }
            else if (!OptionProblems.IsWellFormed(value))
            {
                problems.Add(
                    $"{nameof(EnqueueOptions.Headers)} holds half of a surrogate pair in {name}; it would not come back as it went");
            }

            bytes += Encoding.UTF8.GetByteCount(name ?? "") + Encoding.UTF8.GetByteCount(value ?? "");
        }

        if (bytes > MaxBytes)
        {
            problems.Add(string.Create(
                CultureInfo.InvariantCulture, $"{nameof(EnqueueOptions.Headers)} takes {bytes:N0} bytes; allowed is {MaxBytes:N0} in all"));
        }
    }

    /// <summary>The text that is stored; null for none.</summary>
    internal static string? Write(IReadOnlyDictionary<string, string>? headers) => headers is { Count: > 0 } ? ToJson(headers) : null;

    /// <summary>The same text with a trace context.</summary>
    internal static string? WithTrace(string? headers, string? parent, string? state)
    {
        if (parent is null)
        {
            return headers;
        }

        var trace = ToJson(string.IsNullOrEmpty(state) ? [new(TraceParent, parent)] : [new(TraceParent, parent), new(TraceState, state)]);
        return headers is null ? trace : $"{trace.AsSpan(0, trace.Length - 1)},{headers.AsSpan(1)}";
    }

    /// <summary>Whether a text that is to be stored can be read again.</summary>
    internal static bool IsReadable(string? text)
    {
        try
        {
            using var json = text is null ? null : JsonDocument.Parse(text);
            return json is null || (json.RootElement.ValueKind == JsonValueKind.Object
                && json.RootElement.EnumerateObject().All(header => header.Value.ValueKind == JsonValueKind.String));
        }
        catch (Exception e) when (e is JsonException or ArgumentException)
        {
            return false; // Half of a surrogate pair is an argument's fault to the parser.
        }
    }

    /// <summary>The headers of a stored text, without the trace context.</summary>
    internal static IReadOnlyDictionary<string, string> Read(string? text)
    {
        if (text is null)
        {
            return ReadOnlyDictionary<string, string>.Empty;
        }

        using var json = JsonDocument.Parse(text);
        return json.RootElement.EnumerateObject()
            .Where(header => header.Name is not (TraceParent or TraceState))
            .ToDictionary(header => header.Name, header => header.Value.GetString() ?? "", StringComparer.Ordinal).AsReadOnly();
    }

    /// <summary>The trace context of a stored text: W3C traceparent and tracestate.</summary>
    internal static (string? Parent, string? State) TraceOf(string? text)
    {
        if (text is null)
        {
            return default;
        }

        using var json = JsonDocument.Parse(text);
        return (Find(TraceParent), Find(TraceState));

        string? Find(string name) => json.RootElement.TryGetProperty(name, out var value) ? value.GetString() : null;
    }

    private static string ToJson(IEnumerable<KeyValuePair<string, string>> headers)
    {
        var bytes = new ArrayBufferWriter<byte>(128);
        using (var json = new Utf8JsonWriter(bytes))
        {
            json.WriteStartObject();
            foreach (var (name, value) in headers)
            {
                json.WriteString(name, value);
            }

            json.WriteEndObject();
        }

        return Encoding.UTF8.GetString(bytes.WrittenSpan);
    }
}
