"""The identity of a device, for all its processes: enrolment, certificates, renewal, the end.

Each process has its own part, because each key has one owner; `doorstep enrol` and `doorstep
retire` run the parts as these owners. Modules of different parts do not import each other: capture
loads no HTTPS client, and sync nothing that reads the signing key.

- Sync makes a new TLS key durable before it requests the certificate, and the certificate durable
  before it uses it. So one identity works after any power cut or lost answer.
- The request `trust/serve.csr` decides what serve's certificate is for; only `doorstep enrol`
  writes it, as capture's user. Sync sends it again as soon as the kept certificate differs.

To add a certificate:

1. Keep the key in a folder of one process alone (`agent/queue/paths.py`).
2. Add the rule that recognises such a certificate to `agent/record/usages.py`.
3. Request it: an `Operation` in `est.py`, a step in `for_capture.py`, a task in `renewal.py`, a
   class in `capture_certificates.py`. Issue it in `doorstep_backend/identity/`.
4. Report its end in `status` and `doctor`, and add its row to agent/docs/identity.md.
5. Add it to `enrolment` and `renewal` in `tests/faults/powercut/enrolled.py`, and to `_belongs`
   in `fleet_checker.py`.
"""
