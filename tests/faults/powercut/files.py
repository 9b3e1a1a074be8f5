"""Files that are whole at any time: as before or as after, wherever the power is cut."""

from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Final

from agent.command import enrol, retire
from agent.identity import device_key, tls_identity
from agent.identity.tls_identity import IdentityStore, TlsIdentity
from agent.trust import store
from tests.faults.powercut.promise_log import PromiseLog
from tests.faults.powercut.stage import Stage, digest

WRITERS: Final[tuple[ModuleType, ...]] = (
    device_key,
    enrol,
    retire,
    store,
    tls_identity,
)
"""Every module that writes files which are whole at any time."""


@contextmanager
def noted(stage: Stage) -> Iterator[None]:
    """Note each such file that is written while the block runs; the product is unchanged."""
    install = IdentityStore.install

    def installed(kept: IdentityStore, new: TlsIdentity) -> None:
        begun = stage.now()
        install(kept, new)
        asked_with = stage.layout.sync_keys / "next-key.pem"
        stage.change(name_of(stage, asked_with), begun, None)

    with ExitStack() as put_back:
        for module in WRITERS:
            put_back.callback(setattr, module, "write_durably", _put(module, stage))
        put_back.callback(setattr, IdentityStore, "install", install)
        IdentityStore.install = installed  # type: ignore[method-assign,assignment]  # calls it
        yield


def _put(module: ModuleType, stage: Stage) -> Callable[..., None]:
    plain: Callable[..., None] = vars(module)["write_durably"]
    vars(module)["write_durably"] = partial(_written, stage, plain)
    return plain


def _written(
    stage: Stage,
    write: Callable[..., None],
    target: Path,
    content: bytes,
    mode: int,
    *,
    whole: bool,
) -> None:
    begun = stage.now()
    write(target, content, mode, whole=whole)
    stage.change(name_of(stage, target), begun, digest(target))


def note(stage: Stage, *folders: Path) -> None:
    """Note that all files below these folders exist from now on."""
    for folder in folders:
        for path in folder.rglob("*"):
            if path.is_file():
                stage.change(name_of(stage, path), 0, digest(path))


def name_of(stage: Stage, path: Path) -> str:
    """Return a file's name on the rig's disk; files elsewhere are not cut."""
    return str(path.relative_to(stage.disk))


def broken(
    stage: Stage, promises: PromiseLog, log_bytes: int, names: Collection[str] | None = None
) -> Iterator[str]:
    """Yield files that are neither as last promised nor as the unfinished change makes them."""
    for name in sorted(promises.names() if names is None else names):
        path = stage.disk / name
        found = digest(path) if path.is_file() else None
        possible = promises.may_be(name, log_bytes)
        if found not in possible:
            yield f"{name} is {_brief(found)}; promised was {' or '.join(map(_brief, possible))}"


def _brief(value: str | None) -> str:
    return "not there" if value is None else value[:12]
