"""Uploads records with tuspy, as its README does it: `python -m tests.bench.upload_tuspy JOB`."""

import json
import sys
import time
from pathlib import Path
from typing import Any

from tusclient.client import TusClient
from tusclient.exceptions import TusCommunicationError, TusUploadFailed

from tests.bench.upload_jobs import AGAIN_S


def main() -> None:
    job = json.loads(Path(sys.argv[1]).read_text())
    client = TusClient(f"{job['url']}/files", client_cert=(job["certificate"], job["key"]))
    for record in job["records"]:
        known = None
        while True:
            try:
                _upload(client, record, known)
                break
            except (TusCommunicationError, TusUploadFailed) as error:
                if error.status_code == 409:  # it was created, but the answer was lost
                    known = f"{job['url']}/files/{record['capture_id']}"
                time.sleep(AGAIN_S)


def _upload(client: TusClient, record: dict[str, Any], known: str | None) -> None:
    uploader = client.uploader(
        file_path=record["path"],
        metadata=record["said"],
        url=known,
        retries=100,
        retry_delay=AGAIN_S,
    )
    uploader.upload()


if __name__ == "__main__":
    main()
