namespace Errand.Middleware;

/// <summary>Where the code comes from that an application adds around its tasks: its options, or a container.</summary>
internal interface IMiddlewareSource
{
    IMiddlewareScope Begin();
}
