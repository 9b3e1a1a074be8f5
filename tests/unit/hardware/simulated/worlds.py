"""A world by a script."""

from pathlib import Path

from hardware.simulated.world import World


def scripted(folder: Path, script: str = "") -> World:
    """Return a world that follows `world.toml` of this folder, where the script is written."""
    path = folder / "world.toml"
    path.write_text(script, encoding="utf-8")
    return World(path, folder)
