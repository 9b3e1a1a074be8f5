"""`python -m tests.backend.monitoring`: prints alerts.yml."""

from tests.backend.monitoring.alerts import RULES, written

print(written(RULES), end="")
