using System.Collections.Concurrent;
using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;

namespace Errand.Payloads;

/// <summary>Payloads and results as UTF-8 JSON, within a size.</summary>
internal sealed class PayloadSerializer(JsonSerializerOptions? options, int maxBytes)
{
    private static readonly Lazy<JsonSerializerOptions> DefaultOptions = new(static () => Reflected(new JsonSerializerOptions
    {
        RespectNullableAnnotations = true,
        RespectRequiredConstructorParameters = true,
    }));

    private readonly JsonSerializerOptions _options = options switch
    {
        null => DefaultOptions.Value,
        { TypeInfoResolver: null } => Reflected(new JsonSerializerOptions(options)),
        _ => options,
    };

    private readonly ConcurrentDictionary<Type, JsonTypeInfo> _written = new(); // Types that come back as they went.

    internal static PayloadSerializer Default { get; } = new(null, Defaults.MaxResultBytes);

    internal byte[] SerializePayload(ITaskPayload payload)
    {
        var type = payload.GetType();
        return Serialize(payload, type, _written.GetValueOrDefault(type) ?? CheckPayload(type), "payload", maxBytes);
    }

    internal byte[] SerializeResult(object? result, Type type) => Serialize(result, type, null, "result", maxBytes);

    internal byte[] SerializeCheckpoint(object? data, Type type) =>
        Serialize(data, type, null, "checkpoint", Defaults.MaxCheckpointBytes);

    /// <summary>Finds out once whether payloads of a type come back as they went.</summary>
    /// <exception cref="ArgumentException">They do not, or cannot be written at all; the message says which member and what to do.</exception>
    internal JsonTypeInfo CheckPayload(Type type) => Check(type, "payload");

    /// <summary>As <see cref="CheckPayload"/>, for what a handler returns.</summary>
    /// <exception cref="ArgumentException">Results of this type do not come back as they went.</exception>
    internal JsonTypeInfo CheckResult(Type type) => Check(type, "result");

    private JsonTypeInfo Check(Type type, string what)
    {
        JsonTypeInfo info;
        string? problem;
        try
        {
            info = TypeInfo(type);
            problem = JsonCheck.Problem(info);
        }
        catch (Exception e) when (e is NotSupportedException or InvalidOperationException)
        {
            throw new ArgumentException($"The {what} '{type.Name}' cannot be written as JSON: {e.Message}", e);
        }

        return problem is null
            ? _written.GetOrAdd(type, info)
            : throw new ArgumentException($"The {what} '{type.Name}' would not come back from JSON as it went: {problem}");
    }

    /// <exception cref="JsonException">The bytes are not a payload of this type.</exception>
    internal object DeserializePayload<TPayload>(ReadOnlySpan<byte> json) =>
        Deserialize(json, typeof(TPayload)) ?? throw new JsonException("The payload is null.");

    internal object? Deserialize(ReadOnlySpan<byte> json, Type type) => JsonSerializer.Deserialize(json, TypeInfo(type));

    /// <exception cref="ArgumentException">It cannot be written as JSON, or is larger than allowed.</exception>
    private byte[] Serialize(object? value, Type type, JsonTypeInfo? info, string what, int limit)
    {
        byte[] json;
        try
        {
            json = JsonSerializer.SerializeToUtf8Bytes(value, info ?? TypeInfo(type));
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            // Getters of the user's type run here, and may throw anything.
            throw new ArgumentException($"The {what} '{type.Name}' cannot be written as JSON: {e.Message}", e);
        }

        return json.Length <= limit
            ? json
            : throw new ArgumentException(string.Create(
                CultureInfo.InvariantCulture,
                $"The {what} '{type.Name}' has {json.Length:N0} bytes of JSON; the limit is {limit:N0}. "
                + $"Store the data elsewhere and pass its key{(limit == maxBytes ? ", or raise the limit in the options" : "")}."));
    }

    private JsonTypeInfo TypeInfo(Type type)
    {
        try
        {
            return _options.GetTypeInfo(type);
        }
        catch (NotSupportedException e)
        {
            throw new NotSupportedException(
                $"'{type.Name}' is not known to the JSON options in use; add [JsonSerializable(typeof({type.Name}))] to the "
                + "JsonSerializerContext whose options were given as Json.", e);
        }
    }

    [UnconditionalSuppressMessage("Trimming", "IL2026", Justification = "Guarded by IsReflectionEnabledByDefault.")]
    [UnconditionalSuppressMessage("AOT", "IL3050", Justification = "Guarded by IsReflectionEnabledByDefault.")]
    private static JsonSerializerOptions Reflected(JsonSerializerOptions options)
    {
        if (!JsonSerializer.IsReflectionEnabledByDefault)
        {
            throw new InvalidOperationException(
                "This program is built without reflection-based JSON (ahead-of-time publishing turns it off, and file-based "
                + "programs publish that way by default). Either give the options of a source-generated context "
                + "(Json = MyJsonContext.Default.Options), or add '#:property PublishAot=false' to the file, in a project "
                + "<JsonSerializerIsReflectionEnabledByDefault>true</JsonSerializerIsReflectionEnabledByDefault>.");
        }

        options.MakeReadOnly(populateMissingResolver: true);
        return options;
    }
}
