#!/usr/bin/env bash
# The help of the commands in scripts/. Sourced; nothing here installs or changes anything.

HELP_FOLDER=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

# print_help   prints the comment at the top of the command that was started, and ends it
print_help() {
    print_header
    exit 0
}

print_header() {
    sed -n '2,/^set/ { /^#/ s/^# \{0,1\}//p }' "$HELP_FOLDER/${BASH_SOURCE[-1]##*/}"
}

# refuse_word WORDS   says what is wrong with the words of the command
refuse_word() {
    echo "$*; see scripts/${BASH_SOURCE[-1]##*/} --help" >&2
    return 2
}

# is_help ARGS...   whether one of the words before -- asks for help
is_help() {
    local word
    for word; do
        case $word in
            --) return 1 ;;
            -h | --help) return 0 ;;
        esac
    done
    return 1
}

# check_words MODULE ARGS...   ends the command if MODULE prints help or refuses these words; it
# needs no environment
check_words() {
    local told module=$1
    shift
    use_any_python
    # shellcheck disable=SC2154  # the script has set root, and use_any_python sets python
    told=$(PYTHONPATH=$root "$python" -P -m "$module" "$@") || refuse_word "nothing was started" || exit
    [[ -z $told ]] || {
        echo "$told"
        exit 0
    }
}
