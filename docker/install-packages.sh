#!/bin/sh
# Installs the packages of docker/packages.txt that are missing. With nothing missing it touches neither
# apt nor the network, so it is safe (and fast) to run before every build.
# Usage: install-packages.sh [--list] GROUP...      groups: build run test
#   --list   print what would be asked of apt, one package a line, and stop
set -eu

here=$(cd "$(dirname "$0")" && pwd)
list=${PACKAGES_TXT:-$here/packages.txt}
only_list=
[ "${1:-}" = --list ] && { only_list=1; shift; }
[ $# -gt 0 ] || { echo "usage: install-packages.sh [--list] build|run|test ..." >&2; exit 2; }
for group in "$@"; do
    case $group in
        build | run | test) ;;
        *) echo "install-packages: no group \"$group\": build, run or test" >&2; exit 2 ;;
    esac
done

fail() {
    echo "install-packages: $*" >&2
    exit 1
}

# The rows of the wanted groups: "name" or "name|other name".
wanted() {
    awk -v groups=" $* " -v file="$list" '
        /^[ \t]*(#|$)/ { next }
        $2 !~ /^(build|run|test)$/ {
            printf "install-packages: %s:%d: no group \"%s\"\n", file, NR, $2 | "cat >&2"; exit 1 }
        index(groups, " " $2 " ") { print $1 }' "$list"
}

installed() {
    case "$have" in *" $1=installed "*) return 0 ;; *) return 1 ;; esac
}

# Chromium is a Debian package; Ubuntu has only a snap, which neither a container nor CI can use.
skipped() {
    [ "$1" = chromium ] && grep -qs '^ID=ubuntu' "${OS_RELEASE:-/etc/os-release}"
}

names=$(wanted "$@")
if [ -n "$only_list" ]; then
    printf '%s\n' "$names"
    exit 0
fi
command -v dpkg-query >/dev/null ||
    fail "this is not Debian or Ubuntu; install the counterparts of docker/packages.txt by hand"
# dpkg-query fails when one of them is unknown, and still answers for the others
# shellcheck disable=SC2046 # a list of package names
have=" $(dpkg-query -W -f='${Package}=${db:Status-Status} ' $(echo "$names" | tr '|' ' ') 2>/dev/null || :)"

missing=
for row in $names; do
    found=
    for name in $(echo "$row" | tr '|' ' '); do
        if installed "$name"; then found=1; fi
    done
    [ -z "$found" ] || continue
    if skipped "$row"; then
        echo "install-packages: chromium is a snap on Ubuntu: skipped, and so are the browser tests"
        continue
    fi
    missing="$missing $row"
done
[ -n "$missing" ] || exit 0

if [ "$(id -u)" = 0 ]; then
    as_root=
elif command -v sudo >/dev/null; then
    as_root=sudo
else
    fail "missing:$missing. Installing them needs root, and there is no sudo here:" \
        "run 'docker/install-packages.sh $*' as root once"
fi

# shellcheck disable=SC2086 # $as_root is empty or one word
apt() { $as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o Dpkg::Options::=--force-confold "$@" </dev/null; }

echo "install-packages: installing$missing"
apt update || fail "apt-get update failed; is the network there?"

choice=
for row in $missing; do
    pick=
    for name in $(echo "$row" | tr '|' ' '); do
        # a name that others only mention is shown with nothing, and apt takes it for a pattern then
        if [ -z "$pick" ] && apt-cache show "$name" 2>/dev/null | grep -q '^Package:'; then pick=$name; fi
    done
    [ -n "$pick" ] || fail "apt knows no package $row"
    choice="$choice $pick"
done

# Debian starts a "main" cluster on port 5432 with the first server package. Ours are made by the
# workspace, so that one is not wanted; an existing configuration is the user's and stays as it is.
put() {
    [ ! -e "$1" ] || return 0
    $as_root mkdir -p "${1%/*}"
    printf '%s\n' "$2" | $as_root tee "$1" >/dev/null
}
put /etc/postgresql-common/createcluster.conf 'create_main_cluster = false'

# The same for the service of pgbouncer: the first is what its init script looks at, the second holds for systemd, now and
# at the next start of the machine (`systemctl unmask pgbouncer` brings it back).
case "$choice " in *" pgbouncer "*)
    put /etc/default/pgbouncer START=0
    unit=/etc/systemd/system/pgbouncer.service
    if [ ! -e "$unit" ]; then
        $as_root mkdir -p "${unit%/*}"
        $as_root ln -s /dev/null "$unit"
    fi ;;
esac

# shellcheck disable=SC2086 # a list of package names
apt install --no-install-recommends $choice || fail "apt-get install failed:$choice"
