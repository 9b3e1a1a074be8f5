"""The backend with faults that tests switch on, to see what a device does at a bad backend.

`python -m tests.support.faulty --data DIR --port PORT` serves as the backend's command does, and
takes the faults by `PUT /switches`. `running_backend` of tests/support/backend.py starts it.
"""
