"""The first hour with a device and an ammeter: what to measure, what to expect, what it changes."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from tests.bench.energy.boards import STREAMING_ZERO, TUNED
from tests.bench.energy.loads import AWAKE_W, HDMI_W, LOADS, RADIO_W, RECEIVER
from tests.bench.energy.pack import EFFICIENCY
from tests.bench.energy.span import Span, total
from tests.unit.documents import build


@dataclass(frozen=True, slots=True)
class Step:
    """A step of the hour.

    Attributes:
        estimate: what the model says.
        otherwise: the meaning of another result.
    """

    measure: str
    how: str
    estimate: str
    otherwise: str


STOPPED_W: Final = TUNED.waits_w + total(one.always_w for one in LOADS)
RECEIVER_W: Final = total(one.always_w for one in LOADS if one.name == RECEIVER)
PRESS_J: Final = total(one.press_j for one in LOADS)

STEPS: Final = (
    Step(
        measure="the current sensor against the meter",
        how="`sudo doorstep doctor` prints the sensor's watts",
        estimate="within 5 %",
        otherwise=(
            "several times too much: the rule of udev has another shunt; 0: VBUS has no wire"
        ),
    ),
    Step(
        measure="**W streaming minus W stopped**",
        how=(
            '`camera.linger_s = 600`, `motion.kind = "none"`, `policy.manifest = "off"`, restart '
            "capture, press once: the camera streams for ten minutes, then stops; measure before "
            "and after; set all three back"
        ),
        estimate=f"{STREAMING_ZERO.adds_w.text(1)} W",
        otherwise=(
            "more: build the motion sensor in; less: the sensor saves little, and `linger_s` may "
            "be longer"
        ),
    ),
    Step(
        measure="W stopped",
        how="the second figure of step 2",
        estimate=f"{STOPPED_W.text(2)} W",
        otherwise="steps 4 to 6 say which part it is",
    ),
    Step(
        measure="Wi-Fi",
        how=(
            "`sudo iw dev wlan0 set power_save off`, then `on`; then `sudo systemd-run sh -c "
            "'rfkill block wifi; sleep 180; rfkill unblock wifi'`"
        ),
        estimate=f"off: {AWAKE_W.text(2)} W more; blocked: {RADIO_W.text(2)} W less",
        otherwise="blocked saves more: batches that switch the radio off are worth a second look",
    ),
    Step(
        measure="HDMI",
        how="`vc4-kms-v3d` without `nohdmi` in `config.txt`, after a restart",
        estimate=f"{HDMI_W.text(2)} W more",
        otherwise="the same: `nohdmi` does not work with this firmware",
    ),
    Step(
        measure="the GNSS receiver",
        how="its supply unplugged",
        estimate=f"{RECEIVER_W.times(1000).text(0)} mW less",
        otherwise="more: it finds no satellites; try again under open sky",
    ),
    Step(
        measure="a press",
        how=(
            "20 presses in ten minutes, less the streaming of step 2; then 20 in the dark, with "
            "the lamp"
        ),
        estimate=f"{PRESS_J.text(0)} J each",
        otherwise="more: a shift costs 150 times the excess",
    ),
    Step(
        measure="from pack to board",
        how="volts and amperes at the pack, and in the lead, stopped and streaming",
        estimate=f"{EFFICIENCY.times(100).text(0)} %",
        otherwise="all hours of this page change in proportion",
    ),
    Step(
        measure="the device, switched off",
        how="microamperes at the pack",
        estimate=f"{Span(*build.OFF_UA).text(0)} µA",
        otherwise="milliamperes: a pack that is full in the evening is not in the morning",
    ),
    Step(
        measure="the charger",
        how="amperes into a pack that is half empty; then hold its thermistor in warm water",
        estimate=f"{build.CHARGE_MA / 1000:.1f} A; a pause from about 47 °C on",
        otherwise="no pause: do not charge the device in a closed car",
    ),
)


def hour() -> Iterator[tuple[str, ...]]:
    """Yield a row for each step, in their order."""
    yield "step", "measure", "how", "estimate", "if it is otherwise"
    for number, step in enumerate(STEPS, 1):
        yield str(number), step.measure, step.how, step.estimate, step.otherwise
