#!/usr/bin/env bash
# Runs the demo and the fast tests under other clocks. Sourced by scripts/test, with
# scripts/packages.sh.

# A day, its instant as `date` reads it, and the zone of the machine. Every zone gets several days,
# because each in each would take three times as long. Summer time changes where the fleet is (the
# EU) and where the machine is, forward and back, two minutes after the start of the run.
DAYS='
tomorrow         Pacific/Auckland  now + 1 day
30-days          UTC               now + 30 days
400-days         America/St_Johns  now + 400 days
3000-days        Pacific/Auckland  now + 3000 days
leap-day         America/St_Johns  2028-02-29 12:00
eu-spring        UTC               2027-03-28 00:58
eu-autumn        America/St_Johns  2027-10-31 00:58
machine-spring   America/St_Johns  2027-03-14 05:28
machine-autumn   Pacific/Auckland  2027-04-03 13:58
year-end         UTC               2027-12-31 23:58
past-2038        Pacific/Auckland  2038-02-03 12:00
'

DAYS_PACKAGES='
gcc                     gcc                         compiles the clock that the tests see
libc6-dev               /usr/include/*/sys/time.h   compiles it too
tzdata                  /usr/share/zoneinfo/America/St_Johns  has the zones
'

# test_days [DAY | --one]   every day, one after the other; --one: the day that the commit chooses
test_days() {
    local names name failed=()
    mapfile -t names < <(awk 'NF { print $1 }' <<<"$DAYS")
    if [[ ${1:-} == --one ]]; then
        names=("${names[16#$(git rev-parse --short=7 HEAD) % ${#names[@]}]}")
    elif (($#)); then
        [[ " ${names[*]} " == *" $1 "* ]] || refuse_word "$1: no such day; there are ${names[*]}"
        names=("$1")
    fi
    install_packages "$DAYS_PACKAGES"
    use_environment
    mkdir -p build
    gcc -std=c11 -O2 -shared -fPIC -o build/shifted_clock.so scripts/shifted_clock.c
    for name in "${names[@]}"; do
        test_day "$name" || failed+=("$name")
    done
    ((${#failed[@]} == 0)) || {
        echo "== failed; to repeat it: $(printf 'scripts/test --days %s; ' "${failed[@]}")" >&2
        return 1
    }
}

# libfaketime is not used: it also changes waits, by which some Pythons ended with a "Fatal Python
# error", among them servers of the tests.
test_day() {
    local zone when shift_s ended=0 as_root
    # shellcheck disable=SC2034  # for run_fast
    local chosen=()
    read -r _ zone when < <(grep "^$1 " <<<"$DAYS")
    shift_s=$(($(date -u -d "$when" +%s) - $(date +%s)))
    as_root=(env TZ="$zone" SHIFT_S="$shift_s" LD_PRELOAD="$PWD/build/shifted_clock.so")
    echo "== $1: $("${as_root[@]}" date); to repeat it: scripts/test --days $1" >&2
    "${as_root[@]}" scripts/demo || ended=1
    run_fast || ended=1
    return "$ended"
}
