#!/usr/bin/env bash
# Gives /var/lib/doorstep a file system of its own, without a reserve for root: else root's data
# can fill the card and no record finds room. Safe to run again after a power cut at any point.
# state-file-system.sh DEVICE MB   DEVICE a partition, or empty: then a file of MB, allocated in full
# Prints `changed`, `unchanged` or `skipped: WHY`.
set -euo pipefail

STATE=/var/lib/doorstep
IMAGE=/var/lib/doorstep.ext4
UNIT=/etc/systemd/system/var-lib-doorstep.mount
CHECK=/etc/systemd/system/doorstep-state-check.service
WANTED=/etc/systemd/system/local-fs.target.wants/var-lib-doorstep.mount
FRESH=doorstep-new    # the label until it was mounted as the state: nothing in it counts
LABEL=doorstep-state  # from then on: it may hold records, and is never made again
SPARE_MB=512 # what the system keeps beside the file
UNITS=(doorstep-capture.service doorstep-sync.service doorstep-serve.service)
copy=/run/doorstep-state-copy
stopped=()

main() {
    local device=$1 mb=$2
    trap leave EXIT
    if mountpoint -q "$STATE"; then
        rm -f "$IMAGE.part"
        if settle; then echo changed; else echo unchanged; fi
        return
    fi
    # The link is the commit point: from it on the new file system counts, before it the folder.
    if [[ -L $WANTED ]]; then
        systemctl daemon-reload
        systemctl start var-lib-doorstep.mount || {
            echo "the state's file system does not mount, and its records are in it: e2fsck -f the" \
                "device that $UNIT names, then run this again" >&2
            exit 1
        }
    else
        stop_units
        if [[ -n $device ]]; then
            take_partition "$device"
        else
            device=$IMAGE
            make_image "$mb"
        fi
        write_unit "$device"
        systemctl daemon-reload
        systemctl start var-lib-doorstep.mount || {
            rm -f "$WANTED"
            systemctl daemon-reload
            skip "$device cannot be mounted here"
        }
    fi
    settle || true
    echo changed
}

skip() {
    rm -f "$IMAGE.part"
    echo "skipped: $1"
    exit 0
}

stop_units() {
    local unit
    for unit in "${UNITS[@]}"; do
        if systemctl is-active --quiet "$unit"; then
            stopped+=("$unit")
            systemctl stop "$unit"
        fi
    done
}

# The units that ran before start again, also if this failed.
leave() {
    if mountpoint -q "$copy"; then umount "$copy"; fi
    if ((${#stopped[@]} > 0)); then systemctl start --no-block "${stopped[@]}"; fi
}

# It has become the state: what the folder held before was copied, and goes. Later nothing below goes:
# if the folder was written to meanwhile, those are other records.
settle() {
    local device
    device=$(findmnt -n -o SOURCE "$STATE")
    [[ $(e2label "$device" 2>/dev/null) == "$FRESH" ]] || return 1
    clear_below
    e2label "$device" "$LABEL"
}

# Whether it is taken as it is: it was the state before, and the folder is empty.
was_state() {
    local device=$1
    [[ $(blkid -p -o value -s LABEL "$device" 2>/dev/null || true) == "$LABEL" ]] || return 1
    [[ ! -d $STATE || -z $(ls -A "$STATE") ]] ||
        skip "$device was the state once, and $STATE holds another: save one elsewhere, empty it"
}

make_image() {
    local mb=$1 free_mb used_mb=0
    rm -f "$IMAGE.part"
    if was_state "$IMAGE"; then return; fi
    rm -f "$IMAGE" # a copy that a power cut made worthless
    free_mb=$(df -Pm /var/lib | awk 'NR == 2 { print $4 }')
    if [[ -d $STATE ]]; then used_mb=$(du -sm "$STATE" | cut -f 1); fi
    ((free_mb >= mb + SPARE_MB)) ||
        skip "the card has $free_mb MB left, and $mb MB with $SPARE_MB MB to spare are needed"
    ((used_mb + 64 < mb)) || skip "what lies there has $used_mb MB: doorstep_state_mb is too small"
    (umask 077 && fallocate -l "${mb}M" "$IMAGE.part") || skip "$IMAGE cannot be allocated in full"
    make_file_system "$IMAGE.part"
    fallocate -l "${mb}M" "$IMAGE.part" || skip "$IMAGE cannot be allocated in full"
    copy_into "$IMAGE.part" loop
    sync -f "$IMAGE.part"
    mv "$IMAGE.part" "$IMAGE"
    sync -f /var/lib
}

# Never over something else: a partition is taken that is empty, or that was made here before.
take_partition() {
    local device=$1 type label
    [[ -b $device ]] || skip "$device is no partition"
    type=$(blkid -p -o value -s TYPE "$device" || true)
    label=$(blkid -p -o value -s LABEL "$device" || true)
    if was_state "$device"; then return; fi # it outlives a card that is written again
    if [[ -z $type || ($type == ext4 && $label == "$FRESH") ]]; then
        make_file_system "$device"
        copy_into "$device" defaults
    else
        skip "$device holds something else ($type): empty it (wipefs) to have it taken"
    fi
}

# Nothing is discarded, and nothing left for the kernel to zero at the first mount: both punch the
# room out of the file again.
make_file_system() {
    mkfs.ext4 -q -F -m 0 -L "$FRESH" -E nodiscard,lazy_itable_init=0,lazy_journal_init=0 "$1"
}

copy_into() {
    local device=$1 options=$2
    [[ -d $STATE && -n $(ls -A "$STATE") ]] || return 0
    mkdir -p "$copy"
    mount -t ext4 -o "$options" "$device" "$copy" || skip "$device cannot be mounted here"
    cp -a --no-target-directory "$STATE" "$copy"
    sync -f "$copy"
    umount "$copy"
    rmdir "$copy"
}

write_unit() {
    local device=$1 options=noatime,nodev,nosuid,noexec,errors=remount-ro check
    if [[ $device == "$IMAGE" ]]; then
        options=loop,$options
        check=${CHECK##*/}
        write_check
    else
        check=$(systemd-escape --path --template=systemd-fsck@.service "$device")
    fi
    cat >"$UNIT.new" <<UNIT
# Made by provisioning.
[Unit]
Description=Doorstep: records, queue and keys
# The folders are made in it, and not below it
Before=systemd-tmpfiles-setup.service
# A file system whose repair needs a question is not written to
Requires=$check
After=$check

[Mount]
What=$device
Where=$STATE
Type=ext4
Options=$options

# Wanted, not required: one that does not mount ends in a red light, and not in a dark device
[Install]
WantedBy=local-fs.target
UNIT
    mv "$UNIT.new" "$UNIT"
    mkdir -p "$(dirname "$WANTED")"
    sync -f /etc
    ln -sfn "$UNIT" "$WANTED"
    sync -f /etc
}

# systemd-fsck takes block devices only.
write_check() {
    cat >"$CHECK.new" <<UNIT
# Made by provisioning.
[Unit]
Description=Doorstep: check of the file system of the state
DefaultDependencies=no
RequiresMountsFor=/var/lib
# It writes to a file of the root file system
After=systemd-remount-fs.service local-fs-pre.target
Before=var-lib-doorstep.mount shutdown.target
Conflicts=shutdown.target

[Service]
Type=oneshot
# Else every start of a unit that needs the mount would check what is mounted, and fail
RemainAfterExit=yes
ExecStart=/usr/sbin/e2fsck -p $IMAGE
# 1: it found something, and repaired it
SuccessExitStatus=1
# Cut short it would leave more to repair
TimeoutStartSec=infinity
UNIT
    mv "$CHECK.new" "$CHECK"
}

# The folder's earlier files are hidden below the mount, keys among them, and take space.
clear_below() {
    local base below=/run/doorstep-state-below inside
    base=$(findmnt -n -o TARGET -T /var/lib)
    inside=$below${STATE#"${base%/}"}
    mkdir -p "$below"
    mount --bind "$base" "$below"
    if [[ -d $inside && -n $(ls -A "$inside") ]]; then
        find "$inside" -mindepth 1 -delete
        sync -f "$inside"
    fi
    # Without the mount nothing can be written here, and capture says so by its light.
    chattr +i "$inside" 2>/dev/null || true
    umount "$below"
    rmdir "$below"
}

main "$@"
