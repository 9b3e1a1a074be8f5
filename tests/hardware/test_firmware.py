"""Which pins the lines of a config.txt take."""

import pytest

from hardware.firmware import claims, includes


def taken(text: str) -> dict[int, str]:
    """Pin to section."""
    return {claim.pin: claim.section for claim in claims(text)}


@pytest.mark.parametrize(
    ("text", "pins"),
    [
        ("dtoverlay=gpio-poweroff,gpiopin=26,timeout_ms=6000", {26}),
        ("dtoverlay=gpio-poweroff", {26}),
        ("dtoverlay=gpio-poweroff\ndtparam=gpiopin=24", {24}),
        ("dtoverlay=gpio-shutdown,gpio_pin=16,gpio_pull=up", {16}),
        ("dtoverlay=gpio-charger,gpio=23,active_low=1", {23}),
        ("dtoverlay=gpio-key,gpio=4\ndtoverlay=gpio-key,gpio=16", {4, 16}),
        ("dtoverlay=i2c-gpio,i2c_gpio_sda=23,i2c_gpio_scl=24,i2c_gpio_delay_us=2", {23, 24}),
        ("dtoverlay=w1-gpio:gpiopin=4", {4}),
        ("dtoverlay=gpio-poweroff,gpiopin=26   # cuts the supply", {26}),
        ("dtparam=i2c_arm=on,spi=on", {2, 3, 7, 8, 9, 10, 11}),
        ("dtparam=i2c_arm", {2, 3}),
        ("dtparam=i2c_arm=on\ndtparam=i2c_arm=off", set()),
        ("dtparam=i2s=on", {18, 19, 20, 21}),
        ("enable_uart=1\r\n", {14, 15}),
        ("enable_uart=0", set()),
    ],
)
def test_claims_are_the_pins_of_each_known_setting(text: str, pins: set[int]) -> None:
    """By the documentation of config.txt, and by the overlays' README."""
    assert set(taken(text)) == pins


@pytest.mark.parametrize(
    "text",
    [
        "# dtoverlay=gpio-poweroff",
        "[none]\ndtoverlay=gpio-poweroff",
        "gpio=5,6=op,dh",
        "dtoverlay=vc4-kms-v3d",
        "dtoverlay=gpio-key,gpio=99",
        "dtoverlay=gpio-key,gpio=\u0662",
        "dtoverlay=,,=,\ndtoverlay\n=\ndtparam==on",
        "\ufffd\ufffd[\x01",
        "",
    ],
)
def test_line_that_takes_no_pin_is_no_claim(text: str) -> None:
    """`gpio=` only sets a level at the start; garbage is no setting."""
    assert claims(text) == []


def test_claim_under_a_condition_names_its_section() -> None:
    """Whether the condition is met is not known here; [all] ends it."""
    text = "[pi5]\ndtoverlay=gpio-key,gpio=16\n[all]\ndtoverlay=gpio-key,gpio=24\n"

    assert taken(text) == {16: "[pi5]", 24: ""}
    assert [(claim.line, claim.number) for claim in claims(text)] == [
        ("dtoverlay=gpio-key,gpio=16", 2),
        ("dtoverlay=gpio-key,gpio=24", 4),
    ]


def test_includes_are_the_lines_that_name_another_file() -> None:
    """Those files are not read, so they must be named."""
    assert includes("include extra.txt\n#include no.txt\nincluded=1\n") == [1]
