#!/bin/sh
# Capture calls itself quiet ten minutes after its start; a start that provisioning made is no press.
set -eu
systemctl show -P InvocationID doorstep-capture >/run/doorstep-provisioned
