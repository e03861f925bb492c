namespace Errand.Engine;

/// <summary>Word to the writer: no caller waits for it.</summary>
internal abstract class Note<TTurn> : Operation<TTurn>
{
    internal override TurnStage Stage => TurnStage.Note;

    internal override int Rows => 0;

    internal override bool Complete() => false;

    internal override void Fail(Exception exception)
    {
    }
}
