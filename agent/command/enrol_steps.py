"""The steps of `doorstep enrol` by EST and by files."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Self

from agent.command.owners import Report, run_as
from agent.command.shared import owner_of
from agent.config import Config
from agent.errors import DoorstepError, ExitCode
from agent.identity import capture_part
from agent.identity.for_capture import STEPS, Fetched
from agent.queue.paths import Layout

AsOwner = Callable[[Callable[[], Report]], Report]
"""Runs a part of the command as the owner of its keys."""


@dataclass(frozen=True, slots=True)
class Owners:
    """The owner of each part; each is looked up before anybody's part makes anything."""

    capture: AsOwner
    sync: AsOwner
    serve: AsOwner | None

    @classmethod
    def of(cls, config: Config) -> Self:
        """Return the owners of this device's folders; without `serve.names`, serve has no part."""
        layout = Layout.of(config.state)
        capture = partial(run_as, owner_of(layout.capture_keys, layout.state))
        sync = partial(run_as, owner_of(layout.sync_keys, layout.state))
        if not config.serve.names:
            return cls(capture, sync, None)
        return cls(capture, sync, partial(run_as, owner_of(layout.serve_keys, layout.state)))

    def evidence_request(self, config: Config) -> str:
        """Return the request for the evidence certificate, PEM; make a missing key."""
        return str(self.capture(lambda: {"made": capture_part.request(config)}).get("made"))

    def serve_request(self, config: Config) -> str | None:
        """Return serve's request, PEM; capture stores it, and neither sees the other's folder."""
        if self.serve is None:
            return None
        made = str(self.serve(lambda: {"made": capture_part.request_as_serve(config)}).get("made"))
        kept = self.capture(lambda: {"kept": capture_part.serve_request(config, made)})
        return str(kept.get("kept"))

    def keep(self, config: Config, fetched: Report) -> ExitCode | None:
        """Verify and keep fetched documents, as capture; return the exit code of a failure."""
        code = self.capture(lambda: _kept(config, fetched)).get("exit")
        return ExitCode(code) if code else None


def say(step: str, words: str) -> None:
    """Print the result of a step at once, also into a pipe."""
    print(f"{step:<16}  {words}", flush=True)


def report(fetched: Fetched) -> Report:
    """Return the fetched documents as JSON types, for another owner's part."""
    return {**fetched.documents, "exit": fetched.trouble and int(fetched.trouble.exit_code)}


def end(config: Config, code: ExitCode) -> int:
    """Print how the command ended; return its exit code."""
    if code is ExitCode.DONE:
        print(f"enrolled: {config.device.id}")
    else:
        words = "not finished: see above, then run this again; it continues where it was"
        print(words, file=sys.stderr)
    return code


def _kept(config: Config, fetched: Report) -> Report:
    codes = []
    for kind, step in STEPS.items():
        text = fetched.get(kind)
        if not isinstance(text, str):
            continue
        try:
            capture_part.take(config, kind, text)
            say(step, "verified, and kept")
        except DoorstepError as error:
            say(step, str(error))
            codes.append(int(error.exit_code))
    return {"exit": codes[0] if codes else None}
