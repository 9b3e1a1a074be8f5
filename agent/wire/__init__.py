"""The HTTPS client of a device: what it trusts, what it shows, and what an answer says.

Sync uses it, and the commands that ask as sync; agent/docs/wire.md is its contract.

- Every exchange ends: after 60 s without a byte, after 540 s in any case, and at once when the
  process is stopped.
- No answer is trusted: sizes, numbers and addresses are checked where they are read.
- A changed certificate or authority counts at once.
- A cut line is no fault of a certificate: only a TLS alert, or a certificate that has ended, is.

To add a reason why an exchange fails, add a case to `failure.py`, by a name of
`agent/status/troubles.py`.
"""
