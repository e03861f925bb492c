using System.Net.Sockets;
using Npgsql;

namespace Errand.PostgreSql.Data;

/// <summary>PostgreSQL's error codes as exceptions that say what happened to which store, and the remedy.</summary>
internal static class PostgresErrors
{
    /// <summary>Whether it comes from the server or the way to it, rather than from a fault of ours.</summary>
    internal static bool IsOurs(Exception exception) =>
        exception is NpgsqlException or SocketException or IOException or TimeoutException
            or ObjectDisposedException or InvalidOperationException;

    /// <summary>
    /// Whether nobody knows what became of what was sent: anything but an answer of the server's that it refused a
    /// statement, and lives on.
    /// </summary>
    internal static bool LostConnection(BackendException exception) =>
        exception is not SchemaTooNewException
        && (exception.InnerException is not PostgresException { SqlState: var state, InvariantSeverity: var severity }
            || severity is "FATAL" or "PANIC" || IsShutdown(state) || IsElsewhere(state));

    /// <summary>Whether the same statement may succeed when it is run again at once.</summary>
    internal static bool IsConflict(BackendException exception) =>
        exception.InnerException is PostgresException
        {
            SqlState: PostgresErrorCodes.SerializationFailure or PostgresErrorCodes.DeadlockDetected,
        };

    /// <summary>Whether somebody else held a lock for longer than a turn waits.</summary>
    internal static bool IsHeldUp(BackendException exception) =>
        exception.InnerException is PostgresException { SqlState: PostgresErrorCodes.LockNotAvailable };

    /// <summary>Whether nobody answered in time.</summary>
    internal static bool IsTimeout(BackendException exception) =>
        exception.InnerException is TimeoutException or { InnerException: TimeoutException };

    // https://www.postgresql.org/docs/current/errcodes-appendix.html
    internal static BackendException From(Exception exception, string store) => exception switch
    {
        PostgresException e => From(e, store),
        { InnerException: TimeoutException } or TimeoutException => new BackendException(
            $"{store} did not answer in time. It may be overloaded, or a lock may be held; the call may or may not "
            + "have been carried out.", true, exception),
        _ => new BackendException(
            $"{store} cannot be reached, or the connection was lost: {exception.Message.TrimEnd('.')}. Check the server and the "
            + "network; Errand connects again.", true, exception),
    };

    private static BackendException From(PostgresException e, string store) => e.SqlState switch
    {
        PostgresErrorCodes.SerializationFailure or PostgresErrorCodes.DeadlockDetected => new BackendBusyException(
            $"{store}: others changed the same rows at the same moment. Nothing was changed; try again.", e),
        PostgresErrorCodes.LockNotAvailable or PostgresErrorCodes.QueryCanceled => new BackendBusyException(
            $"{store}: a statement was cancelled, or waited too long for a lock. Nothing was changed; try again.", e),
        PostgresErrorCodes.DiskFull => new BackendFullException(
            $"{store} has no room: its disk is full. Nothing was changed; work resumes when there is room.", e),
        PostgresErrorCodes.TooManyConnections => new BackendException(
            $"{store} takes no more connections. Raise max_connections, or use fewer processes; each backend holds up "
            + "to five.", true, e),
        PostgresErrorCodes.ReadOnlySqlTransaction => new BackendException(
            $"{store} is read-only: a standby, or default_transaction_read_only is on. Connect to the primary (Target "
            + "Session Attributes=read-write); Errand connects again.", true, e),
        PostgresErrorCodes.InvalidPassword or PostgresErrorCodes.InvalidAuthorizationSpecification =>
            new BackendException(
                $"{store} refused the user or the password. Check the connection string and pg_hba.conf.", false, e),
        PostgresErrorCodes.InvalidCatalogName => new BackendException(
            $"{store} does not exist: there is no such database. Create it first.", false, e),
        PostgresErrorCodes.InsufficientPrivilege => new BackendException(
            $"{store}: the user lacks a privilege: {e.MessageText}. Let it own the schema, or create the schema for "
            + "it.", false, e),
        PostgresErrorCodes.UndefinedTable or PostgresErrorCodes.InvalidSchemaName
            or PostgresErrorCodes.UndefinedFunction => new BackendException(
                $"{store} lacks what was made for Errand: {e.MessageText}. Was it removed? The next use makes the "
                + "schema again.", true, e),
        _ when IsShutdown(e.SqlState) => new BackendException(
            $"{store} ended the connection: {e.MessageText}. Errand connects again.", true, e),
        _ => new BackendException(
            $"{store} refused a statement: {e.MessageText} (SQLSTATE {e.SqlState}).", e.IsTransient, e),
    };

    /// <summary>What is connected to is not, or no longer, what it should be: a new connection may find it.</summary>
    private static bool IsElsewhere(string state) => state is PostgresErrorCodes.ReadOnlySqlTransaction
        or PostgresErrorCodes.UndefinedTable or PostgresErrorCodes.InvalidSchemaName
        or PostgresErrorCodes.UndefinedFunction;

    private static bool IsShutdown(string state) =>
        state.StartsWith("57P", StringComparison.Ordinal) || state.StartsWith("08", StringComparison.Ordinal);
}
