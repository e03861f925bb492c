global using System;
global using System.Collections.Generic;
global using System.IO;
global using System.Linq;
global using System.Net.Http;
global using System.Threading;
global using System.Threading.Tasks;
global using Errand;
global using Errand.Sqlite;
global using Microsoft.AspNetCore.Builder;
global using Microsoft.AspNetCore.Hosting;
global using Microsoft.AspNetCore.Http;
global using Microsoft.Extensions.Configuration;
global using Microsoft.Extensions.DependencyInjection;
global using Microsoft.Extensions.Hosting;
global using Microsoft.Extensions.Logging;
global using Xunit;
global using OpenTelemetry;
global using OpenTelemetry.Metrics;
global using OpenTelemetry.Trace;
global using static Given;

[TaskName("greet")]
public sealed record Greet(string Name) : ITask<string>;
public sealed record SendWelcomeMail(string To) : ITask;

public static partial class Given
{
    public static SqliteBackend backend => null!;
    public static TaskQueue queue => null!;
    public static TaskHandlers handlers => null!;
    public static WebApplicationBuilder builder => null!;
    public static WebApplication app => null!;
}
