#!/bin/sh
# Opens JupyterLab on the notebooks, with the project's Python environment and programs first on PATH.
# `make lab` has set everything up before. Arguments go to Jupyter as they are; LAB_PORT picks the port.
set -eu
cd "$(dirname "$0")/.."
root=$PWD
[ -x "$root/.venv/bin/jupyter-lab" ] || { echo "lab: no JupyterLab in .venv; run make lab" >&2; exit 1; }
mkdir -p notebooks

# The first notebook of the workshop.
first=
for notebook in notebooks/*.ipynb; do
    if [ -f "$notebook" ]; then first=$notebook; break; fi
done

[ -z "${LAB_PORT:-}" ] || set -- "--ServerApp.port=$LAB_PORT" "$@"
# Jupyter refuses to run as root unless told so; in a container there is often no one else.
[ "$(id -u)" != 0 ] || set -- --allow-root "$@"
[ -z "$first" ] || set -- "$@" "$first"

VIRTUAL_ENV=$root/.venv
PATH=$root/.venv/bin:$root/build/bin:$PATH
export VIRTUAL_ENV PATH
# Jupyter serves nothing outside its root, and the notebooks show pictures of ../images: the root is the project.
exec jupyter lab "--ServerApp.root_dir=$root" --FileContentsManager.preferred_dir=notebooks "$@"
