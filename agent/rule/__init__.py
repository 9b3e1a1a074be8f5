"""May a photo be taken here? The manifest, what is in reach of it, and the policy; pure.

A `RouteStop` is a stop of the manifest; a `Stop` (`agent/models.py`) is what a record says of it.

- The same manifest, circle and code get the same answer; only `LastCode` in `scanning.py` keeps
  something between two calls.
- One error refuses the whole manifest.
- A stop that no position confirms never hides that: its `ring` is `outside` or null.
- No message quotes a place, a code or a stop's id.

To add a rule for a stop, add a member to `PhotoRule`; mypy asks for its case in `policy.py`. Place
decides apart from codes, so add its meaning to `_by_place` and `_forbidden` too. Compare
`python -m tests.bench.policy` before and after you change a limit of distance or time.
"""
