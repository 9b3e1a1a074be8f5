#!/bin/sh
# watch-memory.sh FILE   looks at the machine's memory once a second for ever, and appends each new
# extreme to FILE: what it is, the uptime in s, and kB. Every five seconds it adds up the proportional
# set sizes (Pss) of all processes of our units. It starts no process but sleep, and takes 2 MB itself.
# Emulated, each process and each look costs a tenth of a second of the machine, so there are no more.
set -u

least=999999999
most=0
turn=0

# our_kb   sets $sum, and $parts to NAME=KB for each unit that runs
our_kb() {
    sum=0 parts=''
    for unit in capture sync serve; do
        kb=0
        while read -r pid; do
            # Pss is the third line
            { read -r _ && read -r _ && read -r _ pss _ && kb=$((kb + pss)); } \
                2>/dev/null <"/proc/$pid/smaps_rollup"
        done 2>/dev/null <"/sys/fs/cgroup/system.slice/doorstep-$unit.service/cgroup.procs"
        [ "$kb" = 0 ] || parts="$parts $unit=$kb"
        sum=$((sum + kb))
    done
}

uptime_s() {
    read -r now_s _ </proc/uptime
}

while :; do
    # MemAvailable is the third line
    { read -r _ && read -r _ && read -r _ available _; } </proc/meminfo
    if [ "$available" -lt "$least" ]; then
        least=$available
        uptime_s
        echo "available $now_s $least" >>"$1"
    fi
    if [ $((turn % 5)) = 0 ]; then
        our_kb
        if [ "$sum" -gt "$most" ]; then
            most=$sum
            uptime_s
            echo "pss $now_s $most$parts" >>"$1"
        fi
    fi
    turn=$((turn + 1))
    sleep 1
done
