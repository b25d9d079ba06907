#!/bin/sh
# Prints the packages that hold the shared libraries these programs load, one a line. Their names differ between
# releases (libcurl4, libcurl4t64), so they are asked of the system the programs were built on, not listed.
# Usage: runtime-packages.sh PROGRAM...
set -eu
[ $# -gt 0 ] || { echo "usage: runtime-packages.sh PROGRAM..." >&2; exit 2; }
loaded=$(ldd "$@")
case $loaded in
    *"not found"*)
        echo "runtime-packages: a library is missing:" >&2
        echo "$loaded" | grep "not found" >&2
        exit 1
        ;;
esac
for library in $(echo "$loaded" | awk '$2 == "=>" { sub(/.*\//, "", $3); print $3 }' | sort -u); do
    dpkg-query -S "*/$library" | cut -d: -f1
done | sort -u
