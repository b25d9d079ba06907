#!/bin/sh
# Makes the Python environment DIR from SET.lock (each of lab, test, bench holds the one before). Does nothing, and needs
# no network, when the environment was made from the same lock file by the same interpreter.
# Usage: venv.sh DIR lab|test|bench
set -eu

dir=$1 set=$2
here=$(cd "$(dirname "$0")" && pwd)
python=${PYTHON:-python3}

version=$("$python" -c 'import sys; print("%d.%d.%d" % sys.version_info[:3])') || {
    echo "venv: $python does not run; install python3 (make packages) or name one with PYTHON=" >&2
    exit 1
}
case $version in
    3.[0-9].*) echo "venv: Python $version is too old: 3.10 or newer is needed" >&2; exit 1 ;;
esac

# A stamp names all that the environment depends on, its own place included: a moved one is made again.
mkdir -p "$dir"
full=$(cd "$dir" && pwd)
stamp_of() { printf '%s %s %s\n' "$version" "$full" "$(sha256sum <"$here/$1.lock")"; }
holds() { [ -f "$dir/$1.stamp" ] && [ "$(cat "$dir/$1.stamp")" = "$(stamp_of "$1")" ]; }

if holds "$set" && [ -x "$dir/bin/python" ]; then exit 0; fi

if ! [ -x "$dir/bin/pip" ] || ! [ -f "$dir/place" ] || [ "$(cat "$dir/place")" != "$version $full" ]; then
    echo "venv: making $dir with Python $version"
    rm -rf "$dir"
    "$python" -m venv "$dir" || {
        echo "venv: $python cannot make an environment; on Debian the package is python3-venv" >&2
        exit 1
    }
    echo "$version $full" >"$dir/place"
fi

rm -f "$dir"/lab.stamp "$dir"/test.stamp "$dir"/bench.stamp
echo "venv: installing $set.lock"
"$dir/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes --only-binary :all: \
    -r "$here/$set.lock"
stamp_of lab >"$dir/lab.stamp"
[ "$set" = lab ] || stamp_of "$set" >"$dir/$set.stamp"
