#!/bin/sh
# Prints the packages that hold the shared libraries these programs load, one a line: those linked, and those loaded at
# their first use (kernel/base/lazy.h), which ldd does not see. Their names differ between releases (libcurl4,
# libcurl4t64), so they are asked of the system the programs were built on, not listed.
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
lazy=$(sed -n 's/^LAZY_LIBRARY([a-z_]*, "\([^"]*\)".*/\1/p' "$(dirname "$0")"/../kernel/*/lazy_*.c)
[ -n "$lazy" ] || { echo "runtime-packages: no library of first use found in kernel/*/lazy_*.c" >&2; exit 1; }
packages=
for library in $(echo "$loaded" | awk '$2 == "=>" { sub(/.*\//, "", $3); print $3 }' | sort -u) $lazy; do
    owner=$(dpkg-query -S "*/$library") || { echo "runtime-packages: no package holds $library" >&2; exit 1; }
    packages="$packages$owner
"
done
printf '%s' "$packages" | cut -d: -f1 | sort -u
