"""The commands, and the assembly of each process.

`agent/__main__.py` holds Ctrl-C back until `commandline.py` has read the words; only then is the
command's module loaded. `run(arguments)` gets its configuration from `configured`, which changes
root to the owner of the command's part, and returns an exit code.

- `status` and `queue` load neither OpenCV nor HTTP, `sync` no OpenCV, `capture` no HTTP. The slow
  imports of `capture` follow the first light.
- Each process takes its objects apart in reverse, also if one fails to open.
- The exit code does not depend on the reader of the output; a full disk behind it is reported.
- `enrol` and `retire` make no request as root; the JSON that an owner's part returns is input.
- Root deletes by descriptors, and follows no link.
- If a user may not read something, the message names the missing group or says `run this as root`.

To add a command:

1. Add a module with `run`, its words and options in `commandline.py`, and its layer in
   `pyproject.toml`. Use only the codes of `ExitCode`.
2. Generate the pages' tables; add to agent/docs/commands.md what `--help` does not say.
3. Test it as a process, also when the program that reads its output has ended.

To add a check of `doctor`, add a function to `doctor/` that yields findings, and call it in
`examine`. It changes nothing on the device. Its level says who acts: `FAILED` a person, now;
`later` nobody, run `doctor` again; `note` nobody.
"""
