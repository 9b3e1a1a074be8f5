"""`scripts/conformance`: whether somebody's own backend keeps what a device relies on.

`__main__` makes a Target of the options; `run` tries the checks on it, and `report` prints the
results. A check is a function in `checks/`: it sends Uploads (`upload`) or single requests to the
Target, byte by byte over a Line (`line`) if need be, and raises Failed.

Only the tests use `operators/`, and `broken_smallest` and `broken_reference`: backends with one
fault each, which show that the checks can fail.
"""
