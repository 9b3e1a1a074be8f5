"""The progress lines of a run: Ansible's, without those that help nobody."""

from __future__ import annotations

from typing import Any

from ansible.playbook.task_include import TaskInclude
from ansible.plugins.callback.default import CallbackModule as Default

DOCUMENTATION = """
name: doorstep_lines
type: stdout
short_description: Ansible's lines, without included files, and a refusal as its sentence
description:
  - As the default; files that are included are not named.
  - A question that is asked again is shown as not yet answered.
  - A refusal by the playbook itself is its sentence alone; with -v the default's output.
extends_documentation_fragment:
  - default_callback
  - result_format_callback
"""


class CallbackModule(Default):
    """The default, with less."""

    CALLBACK_NAME = "doorstep_lines"

    def v2_playbook_on_include(self, included_file: Any) -> None:
        """Print nothing: a failure names the file of its step."""

    def v2_runner_on_ok(self, result: Any) -> None:
        """Print nothing for the step that includes a file."""
        if not isinstance(result.task, TaskInclude):
            super().v2_runner_on_ok(result)

    def v2_runner_retry(self, result: Any) -> None:
        """Print "not yet" for a step that is retried: it has not failed."""
        self._display.display(f"not yet: [{result.host.get_name()}]: {result.task.get_name()}")

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:
        """Print a refusal of the playbook's own without its place: the playbook is right."""
        ours = str(result.task.action).rpartition(".")[2] in {"fail", "assert"}
        words = str(result.result.get("msg") or "")
        if not ours or ignore_errors or not words or self._display.verbosity:
            super().v2_runner_on_failed(result, ignore_errors=ignore_errors)
            return
        if self._last_task_banner != result.task._uuid:  # noqa: SLF001 - as the default does
            self._print_task_banner(result.task)
        # A device's words are shown, and not obeyed
        shown = "".join(one if one.isprintable() else " " for one in words)
        self._display.display(f"fatal: [{result.host.get_name()}]: {shown}", color="red")
