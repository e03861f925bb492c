// dotnet run --project samples/Testing
// Tests of code that enqueues and of handlers, without a wait: three days pass in a moment.
using Errand;
using Errand.Testing;

namespace Testing;

public sealed class SignupTests : IAsyncDisposable
{
    private readonly Outbox _outbox = new();
    private readonly ErrandTest _test;

    public SignupTests()
    {
        var handler = new MailHandler(_outbox);
        _test = new ErrandTest(new TaskHandlers().Add<SendWelcome>(handler.HandleAsync).Add<Remind>(handler.HandleAsync));
    }

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public ValueTask DisposeAsync() => _test.DisposeAsync();

    [Fact]
    public async Task A_new_customer_is_welcomed_at_once_and_reminded_after_three_days()
    {
        await new Signup(_test.Queue).RegisterAsync("ada@example.org", Token);

        await _test.DrainAsync(Token);
        Assert.Equal(["ada@example.org: Welcome"], _outbox.Sent);

        await _test.AdvanceAsync(TimeSpan.FromDays(3), Token);
        Assert.Equal(["ada@example.org: Welcome", "ada@example.org: Still there?"], _outbox.Sent);
    }

    [Fact]
    public async Task Signing_up_twice_makes_one_reminder()
    {
        var signup = new Signup(_test.Queue);
        await signup.RegisterAsync("ada@example.org", Token);
        await signup.RegisterAsync("ada@example.org", Token);

        var remind = _test.AssertEnqueued<Remind>();
        Assert.Equal(TimeSpan.FromDays(3), remind.DueAt - remind.EnqueuedAt);
    }

    [Fact]
    public async Task A_mail_server_that_is_down_is_tried_again()
    {
        _outbox.FailuresToCome = 2;
        var handle = await _test.Queue.EnqueueAsync(new SendWelcome("ada@example.org"), null, Token);

        await _test.AdvanceAsync(TimeSpan.FromMinutes(1), Token);

        Assert.Equal(3, _test.ResultOf(handle).Attempts);
        Assert.IsType<IOException>(_test.Attempts[0].Exception);
    }

    private sealed class Outbox : IMailer
    {
        public List<string> Sent { get; } = [];

        public int FailuresToCome { get; set; }

        public Task SendAsync(string address, string subject, CancellationToken cancellationToken)
        {
            if (FailuresToCome-- > 0)
            {
                throw new IOException("The mail server does not answer.");
            }

            Sent.Add($"{address}: {subject}");
            return Task.CompletedTask;
        }
    }
}
