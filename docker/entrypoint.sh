#!/bin/sh
# Entry point of the container: JupyterLab on port 8888, reachable from outside the container, with Jupyter's own token.
# Options go to Jupyter; anything else is run instead (`docker run IMAGE lakebase-workspace status`).
set -eu
case ${1:-} in
    "" | -*) ;;
    *) exec "$@" ;;
esac
# PostgreSQL ends cleanly when the container stops; the state folder may be a volume.
lab=
trap '[ -z "$lab" ] || kill -TERM "$lab" || :' TERM INT
jupyter lab --no-browser --ip=0.0.0.0 --port=8888 "$@" &
lab=$!
# A trapped signal ends the first wait early; the second one then gets Jupyter's own status.
status=0
wait "$lab" || status=$?
if kill -0 "$lab" 2>/dev/null; then wait "$lab" && status=0 || status=$?; fi
lakebase-workspace stop --all || :
exit "$status"
