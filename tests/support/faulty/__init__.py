"""The backend with faults that tests switch on, to see what a device does at a bad backend.

`python -m tests.support.faulty --data DIR --port PORT` serves as the backend's command does, and
takes the faults by `PUT /switches`: a JSON object of `Switches` (`switches.py`), for the next
requests of devices. `{}` switches all faults off, and `{"forget": true}` loses every upload and
every receipt. `GET /counts` returns the requests, TLS handshakes and bytes of devices since the
start. `running_backend` of tests/support/backend.py starts it.
"""
