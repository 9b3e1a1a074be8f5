"""What dispatch reads of devices: a card that was perhaps copied, and a key that is not trusted."""

import re
from datetime import timedelta
from functools import partial

from agent.record import signing
from doorstep_backend import keys
from doorstep_backend.identity.authority import Authority
from doorstep_backend.identity.register import Register
from doorstep_backend.office.access import Dispatch
from tests.support.demo_office import NOON
from tests.support.live_pages import Live


def test_dispatch_reads_that_a_card_was_perhaps_copied_and_a_key_is_not_trusted(
    live: Live,
) -> None:
    """Of a photo by such a key it reads that it came, and sees nothing."""
    register = Register(live.town.folder)
    authority = Authority.of(keys.certificates(live.town.folder / "ca").folder)
    register.let_in("van-7")
    used = [
        register.renew("van-7", key, NOON, partial(authority.tls, "van-7", key, NOON))
        for key in (signing.new_key().public_key(), signing.new_key().public_key())
    ]
    register.note_first_use(used[1], NOON)
    register.note_clone(used[0], NOON)
    forged = live.town.receive(live.town.stray())
    kid = signing.thumbprint(live.town.van.key.public_key())
    dispatch = live.browser(Dispatch())
    assert forged in dispatch.get("/dispatch").text

    live.town.office.revoked_keys.add(kid, "van-7", NOON - timedelta(days=1))

    page = dispatch.get("/dispatch").text
    assert "<b>1 device</b> of 1 needs a person." in page
    (clone,) = re.findall(r"(?s)<article.*?</article>", dispatch.get("/fleet?show=clone").text)
    assert "its card was perhaps copied" in clone
    assert "A photo of device van-7, order" not in page
    assert "A photo of device van-7: its key was not trusted any more when it came." in page
    assert forged not in page
    assert dispatch.get(f"/dispatch/{forged}").status_code == 404
