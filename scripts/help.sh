#!/usr/bin/env bash
# What the commands in scripts/ say of themselves. Sourced: nothing here installs or changes anything.

# print_help   prints the comment at the top of the command that was started, and ends it
print_help() {
    sed -n '2,/^set/ { /^#/ s/^# \{0,1\}//p }' "${BASH_SOURCE[-1]}"
    exit 0
}

# refuse_word WORDS   says what is wrong with the words of the command
refuse_word() {
    echo "$*; see scripts/${BASH_SOURCE[-1]##*/} --help" >&2
    return 2
}
