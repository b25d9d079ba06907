#!/usr/bin/env bash
# Proves the two commands of the README on a machine that has nothing: a minimal Debian made by debootstrap, with git,
# make and ca-certificates (and sudo, where a user runs it), a clone of this repository's HEAD, `make lab`.
# The second start runs without network. With --test, `make test` too. Needs root, debootstrap and a network.
#
# Usage: run.sh [--as root|user|both] [--test]      SUITE=bookworm   MIRROR=http://...   WORK=build/fresh
#        For Ubuntu: SUITE=noble PARTS=main,universe, its MIRROR, and its keyring in KEYRING
# The machine's own way to the registries (apt sources, proxies, pip settings, CA certificates) is taken along.
# All mounts and processes live in namespaces of their own and end with this script.
set -euo pipefail
cd "$(dirname "$0")/../.."
repo=$PWD
suite=${SUITE:-bookworm}
work=${WORK:-$repo/build/fresh}
base=$work/base-$suite.tar

fail() { echo "fresh: $*" >&2; exit 1; }

modes="root user"
with_test=
while [ $# -gt 0 ]; do
    case $1 in
        --as) modes=${2:-}; [ "$modes" != both ] || modes="root user"; shift 2 ;;
        --test) with_test=1; shift ;;
        --inside) inside=1; shift ;;
        *) fail "unknown option $1" ;;
    esac
done
case $modes in root | user | "root user") ;; *) fail "--as root, user or both" ;; esac
[ "$(id -u)" = 0 ] || fail "needs root (it makes a chroot)"
command -v debootstrap >/dev/null || fail "needs debootstrap (apt-get install debootstrap)"
if [ -z "${inside:-}" ]; then
    exec unshare --mount --pid --fork --kill-child --mount-proc bash "$0" --inside --as "${modes/root user/both}" \
        ${with_test:+--test}
fi
mkdir -p "$work"

# The first mirror apt itself uses here
# shellcheck disable=SC2016 # apt fills that in
mirror=${MIRROR:-$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 2>/dev/null | sed -n 1p)}
[ -n "$mirror" ] || fail "apt names no mirror here; give one with MIRROR="

take_settings() { # ROOT: how this machine reaches the registries
    local root=$1 file
    cp -L /etc/resolv.conf "$root/etc/resolv.conf"
    cp /etc/hosts "$root/etc/hosts"
    if [ ! -f /etc/pip.conf ]; then :; else cp /etc/pip.conf "$root/etc/pip.conf"; fi
    for file in /etc/apt/apt.conf.d/* /etc/apt/apt.conf; do
        if grep -qs Acquire "$file"; then cp "$file" "$root/etc/apt/apt.conf.d/90fresh-${file##*/}"; fi
    done
    cp -r /etc/apt/auth.conf.d "$root/etc/apt/" 2>/dev/null || :
    # shellcheck disable=SC1091
    if [ "$(. /etc/os-release && echo "${VERSION_CODENAME:-}")" = "$suite" ]; then
        rm -f "$root/etc/apt/sources.list"
        cp /etc/apt/sources.list "$root/etc/apt/" 2>/dev/null || :
        cp /etc/apt/sources.list.d/debian*.sources "$root/etc/apt/sources.list.d/" 2>/dev/null || :
    fi
}

take_certificates() { # ROOT: after ca-certificates is there
    mkdir -p "$1/usr/local/share/ca-certificates"
    cp -r /usr/local/share/ca-certificates/. "$1/usr/local/share/ca-certificates/" 2>/dev/null || :
    cp -L /etc/ssl/certs/ca-certificates.crt "$1/etc/ssl/certs/ca-certificates.crt"
}

settings=()
while IFS= read -r variable; do settings+=("$variable"); done < <(
    env | grep -E '^(https?_proxy|no_proxy|HTTPS?_PROXY|NO_PROXY|PIP_(INDEX_URL|EXTRA_INDEX_URL|CERT|TRUSTED_HOST|DEFAULT_TIMEOUT)|SSL_CERT_FILE|REQUESTS_CA_BUNDLE)=')

in_root() { # ROOT USER COMMAND...: with a clean environment
    local root=$1 user=$2 home=/root
    shift 2
    [ "$user" = root ] || home=/home/$user
    chroot --userspec="$user" "$root" /usr/bin/env -i "HOME=$home" "USER=$user" TERM=dumb LANG=C.UTF-8 \
        PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin "${settings[@]}" "$@" </dev/null
}

mount_in() { # ROOT
    mount -t proc proc "$1/proc"
    mount -t sysfs -o ro sysfs "$1/sys"
    mkdir -p "$1/dev/shm" "$1/dev/pts"
    mount -t tmpfs -o mode=1777 tmpfs "$1/dev/shm"
    mount -t devpts -o newinstance,ptmxmode=0666,mode=0620 devpts "$1/dev/pts"
    ln -sf pts/ptmx "$1/dev/ptmx"
}

if [ ! -f "$base" ]; then
    echo "fresh: making $suite with debootstrap (kept in ${base#"$repo"/})"
    rm -rf "$work/base"
    debootstrap --variant=minbase --components="${PARTS:-main}" ${KEYRING:+--keyring="$KEYRING"} "$suite" "$work/base" "$mirror" >"$work/debootstrap.log" 2>&1 ||
        fail "debootstrap failed: see $work/debootstrap.log"
    take_settings "$work/base"
    in_root "$work/base" root sh -c 'apt-get -q update && DEBIAN_FRONTEND=noninteractive apt-get -q -y install \
        --no-install-recommends git make ca-certificates && apt-get clean' >>"$work/debootstrap.log" 2>&1 ||
        fail "apt-get failed: see $work/debootstrap.log"
    tar -C "$work/base" -cf "$base.part" . && mv "$base.part" "$base"
    rm -rf "$work/base"
fi

one() { # root|user
    local mode=$1 user=root root=$work/$1 home=/root
    echo "==== fresh: as $mode"
    rm -rf "$root" && mkdir -p "$root" && tar -C "$root" -xf "$base"
    take_settings "$root"
    take_certificates "$root"
    mount_in "$root"
    if [ "$mode" = user ]; then
        user=learner home=/home/learner
        in_root "$root" root sh -c 'apt-get -q update && DEBIAN_FRONTEND=noninteractive apt-get -q -y install \
            --no-install-recommends sudo && useradd -m -s /bin/bash learner' >"$work/sudo.log" 2>&1 ||
            fail "sudo could not be installed: see $work/sudo.log"
        printf '%s\n' 'learner ALL=(ALL) NOPASSWD: ALL' \
            'Defaults env_keep += "http_proxy https_proxy no_proxy"' >"$root/etc/sudoers.d/learner"
        chmod 440 "$root/etc/sudoers.d/learner"
    fi
    git -c safe.directory='*' clone -q --no-hardlinks "$repo" "$root$home/workshop"
    in_root "$root" root chown -R "$user:" "$home/workshop"

    # serve.py runs commands in the root by way of this one
    declare -f in_root >"$work/in_root.sh"
    declare -p settings >>"$work/in_root.sh"
    local start=(bash -c ". '$work/in_root.sh'; in_root '$root' $user \"\$@\"" in-root)
    python3 tests/fresh/serve.py "first start" 1200 "$home/workshop" "${start[@]}" || return 1
    unshare --net sh -c 'ip link set lo up && exec "$@"' sh \
        python3 tests/fresh/serve.py "second start, no network" 60 "$home/workshop" "${start[@]}" || return 1
    if [ -n "$with_test" ]; then
        local status=0
        in_root "$root" "$user" make -C "$home/workshop" test >"$work/test-$mode.log" 2>&1 || status=$?
        sed -n '/^==== closing lines/,$p' "$work/test-$mode.log"
        [ "$status" = 0 ] || { tail -n 20 "$work/test-$mode.log"; return 1; }
    fi
}

failed=
for mode in $modes; do one "$mode" || failed="$failed $mode"; done
[ -z "$failed" ] || fail "FAILED as$failed (logs and roots: $work)"
echo "fresh: passed as ${modes/ / and }"
