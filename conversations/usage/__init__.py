"""Usage statistics: how much the chat is used, how fast it answers, how often it fails.

The terms of the dashboard and of this package:

- A **turn** is a reply that was requested and has ended: complete, stopped or failed. It belongs to the hour of the
  request. A regenerated answer is another turn; a retried reply is the same turn, and counts as it ended last, if that
  was within `counting.SETTLED`.
- **Active people** are those who requested a turn.
- **Tokens** are what the provider reported; a provider that reports none counts as 0.
- **Added latency** is the time from the stored turn to the moment a process begins its reply (`started_at -
  created_at`). Replies that began over a minute later are left out: they were retried, or waited for a viewer.
- **Time to first token** is the time from there to the first token of the answer (`first_token_at - started_at`):
  reading the conversation and the model's own time, reasoning and retries included.
- The **error rate** is the share of failed turns among all; stopped ones did not fail.

Only replies made on this site count: neither imported or restored conversations, nor requests that the API does not
store. Counts stay when replies are deleted, unless that happens within the hours that are still counted anew.
"""
