using System.Globalization;

namespace Errand.Storage;

/// <summary>
/// The options of a configuration section as text. A backend reads them one by one over the values set in code. Values that cannot be
/// read, and values that no option was read from, are collected as problems. Not thread-safe.
/// </summary>
public sealed class OptionValues
{
    private readonly string _section;
    private readonly SortedDictionary<string, string> _values = new(StringComparer.OrdinalIgnoreCase);
    private readonly HashSet<string> _known = new(StringComparer.OrdinalIgnoreCase);
    private readonly HashSet<string> _lists = new(StringComparer.OrdinalIgnoreCase);
    private readonly List<string> _problems = [];
    private readonly Func<string, string?>? _connectionString;

    /// <summary>Wraps a section of a configuration.</summary>
    /// <param name="section">Its path, for messages: <c>Errand:Worker</c>.</param>
    /// <param name="values">Its values, by names relative to it; items of lists as <c>Queues:0</c>. Null counts as absent.</param>
    /// <param name="connectionString">
    /// Returns the connection string that the whole configuration has under a name, or null. Default is null: there are none.
    /// </param>
    public OptionValues(
        string section, IEnumerable<KeyValuePair<string, string?>> values, Func<string, string?>? connectionString = null)
    {
        ArgumentNullException.ThrowIfNull(values);
        _section = section;
        _connectionString = connectionString;
        foreach (var (name, value) in values)
        {
            if (value is not null)
            {
                _values[name] = value;
            }
        }
    }

    /// <summary>The values that could not be read so far, then those that no option was read from.</summary>
    public IReadOnlyList<string> Problems =>
    [
        .. _problems,
        .. _values.Keys.Select(ProblemOf).OfType<string>(),
    ];

    /// <summary>The path of the section, for messages: <c>Errand:Worker</c>.</summary>
    public string Section => _section;

    /// <summary>Finds a connection string of the application: <c>ConnectionStrings:shop</c>.</summary>
    /// <param name="name">The name.</param>
    /// <returns>The connection string; null if the configuration has none of this name.</returns>
    public string? FindConnectionString(string name) => _connectionString?.Invoke(name);

    /// <summary>Reads a text.</summary>
    /// <param name="option">The name of the option.</param>
    /// <param name="otherwise">The value if the configuration has none, or has one that cannot be read.</param>
    public string? Read(string option, string? otherwise) => Find(option) ?? otherwise;

    /// <summary>Reads a whole number.</summary>
    /// <inheritdoc cref="Read(string, string?)"/>
    public int Read(string option, int otherwise) => Read(option, (int?)otherwise) ?? otherwise;

    /// <summary>Reads a whole number that may be absent.</summary>
    /// <inheritdoc cref="Read(string, string?)"/>
    public int? Read(string option, int? otherwise) => Parse<int>(
        option,
        text => int.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var number) ? number : null,
        "a whole number") ?? otherwise;

    /// <summary>Reads <c>true</c> or <c>false</c>.</summary>
    /// <inheritdoc cref="Read(string, string?)"/>
    public bool Read(string option, bool otherwise) => Parse<bool>(
        option, text => bool.TryParse(text, out var value) ? value : null, "true or false") ?? otherwise;

    /// <summary>Reads a large whole number.</summary>
    /// <inheritdoc cref="Read(string, string?)"/>
    public long? Read(string option, long? otherwise) => Parse<long>(
        option,
        text => long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var number) ? number : null,
        "a whole number") ?? otherwise;

    /// <summary>Reads a duration such as <c>00:00:30</c> or <c>1.00:00:00</c>.</summary>
    /// <inheritdoc cref="Read(string, string?)"/>
    /// <remarks>A plain number is a problem: it would be read as days.</remarks>
    public TimeSpan Read(string option, TimeSpan otherwise) => Read(option, (TimeSpan?)otherwise) ?? otherwise;

    /// <summary>Reads a duration that may be absent.</summary>
    /// <inheritdoc cref="Read(string, TimeSpan)"/>
    public TimeSpan? Read(string option, TimeSpan? otherwise) => Parse<TimeSpan>(
        option,
        text => text.Contains(':') && TimeSpan.TryParse(text, CultureInfo.InvariantCulture, out var time) ? time : null,
        "a duration such as 00:00:30 or 7.00:00:00") ?? otherwise;

    /// <summary>Reads a name of an enumeration.</summary>
    /// <typeparam name="TEnum">The enumeration.</typeparam>
    /// <inheritdoc cref="Read(string, string?)"/>
    public TEnum Read<TEnum>(string option, TEnum otherwise)
        where TEnum : struct, Enum
    {
        var names = Enum.GetNames<TEnum>();
        return Parse<TEnum>(
            option,
            text => names.Contains(text, StringComparer.OrdinalIgnoreCase) ? Enum.Parse<TEnum>(text, ignoreCase: true) : null,
            string.Join(" or ", names)) ?? otherwise;
    }

    /// <summary>Reads a list of texts. It replaces the whole list set in code.</summary>
    /// <inheritdoc cref="Read(string, string?)"/>
    public IReadOnlyList<string> Read(string option, IReadOnlyList<string> otherwise)
    {
        _lists.Add(option);
        if (Find(option) is { } text)
        {
            _problems.Add($"{_section}:{option} is '{text}'; allowed is a list ({_section}:{option}:0 and so on)");
        }

        var items = _values.Where(value => value.Key.StartsWith(option + ":", StringComparison.OrdinalIgnoreCase) && IsItem(value.Key))
            .OrderBy(value => value.Key.Length).ThenBy(value => value.Key, StringComparer.Ordinal)
            .Select(value => value.Value).ToArray();
        return items.Length > 0 ? items : otherwise;
    }

    /// <summary>The problem of a value that no option was read from; null for the others.</summary>
    private string? ProblemOf(string name)
    {
        var option = name.Split(':')[0];
        if (!_known.Contains(option))
        {
            return $"{_section}:{name} is no option; there are {string.Join(", ", _known)}";
        }

        return name.Length == option.Length || (_lists.Contains(option) && IsItem(name))
            ? null
            : $"{_section}:{name} is no option; {_section}:{option} is {(_lists.Contains(option) ? "a list of texts" : "a single value")}";
    }

    /// <summary>As <c>Queues:0</c>.</summary>
    private static bool IsItem(string name) =>
        name.Split(':') is [_, var index] && int.TryParse(index, NumberStyles.None, CultureInfo.InvariantCulture, out _);

    private string? Find(string option)
    {
        _known.Add(option);
        return _values.GetValueOrDefault(option);
    }

    private T? Parse<T>(string option, Func<string, T?> parse, string allowed)
        where T : struct
    {
        if (Find(option) is not { } text)
        {
            return null;
        }

        var value = parse(text);
        if (value is null)
        {
            _problems.Add($"{_section}:{option} is '{text}'; allowed is {allowed}");
        }

        return value;
    }
}
