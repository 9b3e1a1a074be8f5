#!/bin/sh
# Before everything else: 54 GPIO lines by gpio-sim, a power supply by test_power, and a /proc/cpuinfo
# that gpiozero takes for a Raspberry Pi 4's. A Pi's kernel has all three from the start.
set -eu

mountpoint -q /sys/kernel/config || mount -t configfs none /sys/kernel/config
insmod /usr/local/lib/rig/gpio-sim.ko
chip=/sys/kernel/config/gpio-sim/pi
mkdir -p "$chip/bank"
echo 54 >"$chip/bank/num_lines"
echo pinctrl-bcm2711 >"$chip/bank/label"
echo 1 >"$chip/live"
for pin in 17 27; do
    echo pull-up >"$(echo /sys/devices/platform/gpio-sim.*/gpiochip*/sim_gpio$pin/pull)"
done

insmod /usr/local/lib/rig/test_power.ko
# Out of its cradle, the battery nearly full; `finger battery` changes it
echo off >/sys/module/test_power/parameters/ac_online
echo off >/sys/module/test_power/parameters/usb_online
echo 80 >/sys/module/test_power/parameters/battery_capacity

{
    cat /proc/cpuinfo
    printf 'Revision\t: c03112\nModel\t\t: Raspberry Pi 4 Model B Rev 1.2\n'
} >/run/rig-cpuinfo
mount --bind /run/rig-cpuinfo /proc/cpuinfo
