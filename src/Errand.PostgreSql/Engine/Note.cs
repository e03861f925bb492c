namespace Errand.PostgreSql.Engine;

/// <summary>Word to the loop: nobody waits for its end.</summary>
internal abstract class Note : Operation
{
    internal override TurnPart Part => TurnPart.Note;

    internal override void Complete()
    {
    }

    internal override void Fail(Exception exception)
    {
    }
}
