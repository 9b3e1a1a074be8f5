"""`scripts/conformance`: whether a backend keeps the rules that devices rely on.

`__main__` makes a Target from the options, `run` makes the checks on it, and `report` prints the
results. A check is a function in `checks/`: it sends Uploads (`upload`) or single requests to the
Target, or bytes over a Line (`line`), and raises Failed.

Only the tests use `operators/`, and the modules `broken_*`: backends with one fault each, which
show that the checks can fail.
"""
