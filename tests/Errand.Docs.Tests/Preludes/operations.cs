public sealed record Report(int Year) : ITask;
