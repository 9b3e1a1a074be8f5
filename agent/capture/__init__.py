"""The process with the devices and without the network: from a press to one durable record.

A press goes through `gestures`, `loop`, `press_context`, `camera_gate`, `press`, `burst` and
`quality`, `jpeg`, `photo_credentials`, `record_json`, `record_writer` (the commit point),
`press_result` and `lights`.

- Green, amber and blue come only after the record is durable.
- Only the loop's thread uses the devices; other threads may light "hold still" and put events into
  its queue.
- A press waits for no document, certificate, library or other process, except 10 s for a lock.
- Input from the socket or the queue is verified here before it counts, also the date of a receipt.
- A fault at the last frame of a burst leaves a photo; any other fault of camera or card leaves a
  red light, and a record if one can be written. The process ends after a fault of the camera, and
  not after a fault of the card.

To add a gesture, add a class to `gestures.py`; mypy asks for its `case` in `loop.py`. To add a
light, add a member to `Signal` (`hardware/indicator.py`), its rhythm (`hardware/patterns.py`; a
test compares it with the others), its duration (`lights.py`) and its meaning
(`tests/demo/lights.py`); then generate the pages' tables.
"""
