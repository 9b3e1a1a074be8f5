"""The reference backend: takes records in over tus, answers with signed receipts.

Run it with `python -m tests.backend --port P --data DIR`.
"""
