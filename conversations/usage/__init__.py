"""How much the chat is used, how fast it answers, how often that fails.

What the words mean, on the dashboard and here:

- A **turn** is a reply that was asked for and has ended: complete, stopped or failed. It belongs to the hour in which
  it was asked for. One that is made anew (`regenerate`) is another turn; one that is asked for again (`retry`) is the
  same, and counts as it ended last, if that was within `counting.SETTLED`.
- **Active people** are those who asked for a turn.
- **Tokens** are what the provider reported; a provider that reports none counts as 0.
- **Added latency** is the time from the stored turn to the moment a process begins its reply (`started_at -
  created_at`). Replies that began over a minute later are left out: they were asked for again, or waited for
  somebody to look at them.
- **Time to first token** is from there to the first word of the answer (`first_token_at - started_at`): what the
  reading of the conversation and the model take, thinking and retries included.
- The **error rate** is the share of failed turns among all; a stopped one did not fail.

Only what was made here counts: neither imported nor restored conversations, nor what the API keeps nowhere. Counts stay
when what they count is deleted, unless that happens within the hours that are still counted anew.
"""
