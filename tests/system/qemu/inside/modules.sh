#!/bin/sh
# In the root folder: builds gpio-sim (54 lines of a made-up chip) and test_power (a made-up supply),
# which Debian's kernel leaves out, from Debian's own source of this kernel.
set -eu

kernel=$(basename /lib/modules/*)
built=/usr/local/lib/rig
mkdir -p "$built" /usr/src/rig
cd /usr/src/rig

apt-get -qq update
apt-get -qq -o APT::Sandbox::User=root download linux-source-6.12
dpkg-deb --fsys-tarfile linux-source-6.12*.deb | tar xf - --wildcards './usr/src/*.tar.xz'
tar xf usr/src/linux-source-6.12.tar.xz --strip-components=1 \
    linux-source-6.12/drivers/gpio/gpio-sim.c linux-source-6.12/kernel/irq/irq_sim.c \
    linux-source-6.12/drivers/power/supply/test_power.c

cp drivers/gpio/gpio-sim.c gpio-sim-core.c
# Debian's kernel exports neither of the two that irq_sim uses
sed 's/handle_simple_irq(irq_to_desc(irqnum))/generic_handle_irq_safe(irqnum)/' \
    kernel/irq/irq_sim.c >irq_sim.c
cp drivers/power/supply/test_power.c .
printf 'obj-m := gpio-sim.o test_power.o\ngpio-sim-y := gpio-sim-core.o irq_sim.o\n' >Makefile
make -C "/lib/modules/$kernel/build" M=/usr/src/rig modules
cp gpio-sim.ko test_power.ko "$built/"
cd /
rm -rf /usr/src/rig
