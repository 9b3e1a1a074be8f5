"""Which pins the lines of a config.txt take."""

import pytest

from hardware.firmware import claims, includes, unknown_overlays


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
        ("dtoverlay=i2c-sensor,mpu6050,addr=0x69", {4}),
        ("dtoverlay=i2c-sensor,mpu6050,addr=0x69,int_pin=16", {16}),
        ("dtoverlay=i2c-sensor,max17040", set()),
        ("dtoverlay=gpio-fan", {12}),
        ("dtoverlay=gpio-fan,temp=60000", {12}),
        ("dtoverlay=dht11", {4}),
        ("dtoverlay=gpio-hog", {26}),
        ("dtoverlay=gpio-ir", {18}),
        ("dtoverlay=gpio-ir-tx", {18}),
        ("dtoverlay=gpio-key", {3}),
        ("dtoverlay=gpio-led", {19}),
        ("dtoverlay=i2c-gpio", {23, 24}),
        ("dtoverlay=pps-gpio", {18}),
        ("dtoverlay=pwm", {18}),
        ("dtoverlay=pwm,pin=12,func=4", {12}),
        ("dtoverlay=pwm,pin=40,func=4", set()),
        ("dtoverlay=pwm-2chan", {18, 19}),
        ("dtoverlay=pwm-2chan,pin2=13,func2=4", {13, 18}),
        ("dtoverlay=pwm-ir-tx", {18}),
        ("dtoverlay=rotary-encoder,pin_a=5,pin_b=6", {5, 6}),
        ("dtoverlay=rotary-encoder,pin_a=5", {5, 17}),
        ("dtoverlay=rotary-encoder,pin_a=5\ndtparam=pin_b=6", {5, 6}),
        ("dtoverlay=w1-gpio", {4}),
        ("dtoverlay=mcp2515-can0,oscillator=16000000,interrupt=25", {25}),
        ("dtoverlay=uart0,txd0_pin=14,rxd0_pin=15,pin_func=4", {14, 15}),
        ("dtoverlay=mipi-dbi-spi,spi0-0\ndtparam=reset-gpio=23,dc-gpio=24", {23, 24}),
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
    """The reader cannot know here if the condition is met; [all] ends it."""
    text = "[pi5]\ndtoverlay=gpio-key,gpio=16\n[all]\ndtoverlay=gpio-key,gpio=24\n"

    assert taken(text) == {16: "[pi5]", 24: ""}
    assert [(claim.line, claim.number) for claim in claims(text)] == [
        ("dtoverlay=gpio-key,gpio=16", 2),
        ("dtoverlay=gpio-key,gpio=24", 4),
    ]


def test_includes_are_the_lines_that_name_another_file() -> None:
    """Those files are not read, so they must be named."""
    assert includes("include extra.txt\n#include no.txt\nincluded=1\n") == [1]


def test_unknown_overlays_are_those_that_may_take_other_pins() -> None:
    """The pins of SPI and of further UARTs depend on the model, so a line is named instead."""
    text = "dtoverlay=uart3\ndtoverlay=gpio-fan\n[pi5]\ndtoverlay=mcp2515-can0,interrupt=25\n"

    assert unknown_overlays(text) == [
        ("dtoverlay=uart3", 1),
        ("dtoverlay=mcp2515-can0,interrupt=25", 4),
    ]


@pytest.mark.parametrize(
    "text",
    [
        "dtoverlay=vc4-kms-v3d\n[cm5]\ndtoverlay=dwc2,dr_mode=host\n[pi5]\ndtoverlay=nospi10\n[all]",
        "dtoverlay=imx708\ndtoverlay=ov5647\ndtoverlay=disable-wifi",
        "dtoverlay=\ndtoverlay=,\n# dtoverlay=uart3\n[none]\ndtoverlay=uart3",
    ],
)
def test_overlay_without_pins_is_no_unknown_one(text: str) -> None:
    """Raspberry Pi OS's own config.txt and a camera's overlay say nothing new to a technician."""
    assert unknown_overlays(text) == []
