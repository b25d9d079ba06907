#!/usr/bin/env bash
# Fetches PostgreSQL's own regression files (src/test/regress) of the installed major version from the distribution's source
# package into FOLDER, with an apt state of its own: the machine's sources stay as they are. Prints nothing when FOLDER is
# there already; exit status 3: the package cannot be had here.
#
# Usage: fetch.sh MAJOR FOLDER
set -euo pipefail
major=$1 folder=$2
[ ! -d "$folder/sql" ] || exit 0
give_up() { echo "regress: $*" >&2; exit 3; }
command -v apt-get >/dev/null || give_up "there is no apt here"

private=$(mktemp -d)
trap 'rm -rf "$private"' EXIT
chmod 755 "$private"
mkdir -p "$private"/{parts,lists/partial,source}
for file in /etc/apt/sources.list /etc/apt/sources.list.d/*.list; do
    if [ -s "$file" ]; then sed -n 's/^ *deb /deb-src /p' "$file" >"$private/parts/$(basename "$file")"; fi
done
for file in /etc/apt/sources.list.d/*.sources; do
    if [ -s "$file" ]; then sed 's/^Types:.*/Types: deb-src/' "$file" >"$private/parts/$(basename "$file")"; fi
done
options=(-qq -o "Dir::Etc::sourcelist=/dev/null" -o "Dir::Etc::sourceparts=$private/parts" -o "Dir::State::lists=$private/lists"
         -o "Dir::Cache::srcpkgcache=" -o "Dir::Cache::pkgcache=" -o "APT::Sandbox::User=")
apt-get "${options[@]}" update >&2 || give_up "the package lists cannot be read"
# The newest one that can be had: a mirror may lack what the security archive has.
found=
for version in $(apt-cache "${options[@]}" showsrc "postgresql-$major" | sed -n 's/^Version: //p' | sort -Vru); do
    if (cd "$private/source" && apt-get "${options[@]}" source --download-only "postgresql-$major=$version" >/dev/null 2>&1); then
        found=$version
        break
    fi
    rm -f "$private"/source/*
done
[ -n "$found" ] || give_up "the source package postgresql-$major cannot be fetched"
tarball=$(find "$private/source" -name "postgresql-${major}_*.orig.tar.*" ! -name '*.asc' | head -n 1)
[ -n "$tarball" ] || give_up "the source package holds no original files"
rm -rf "$folder.part"
# With Python's own library: a small machine has no bzip2 for tar
python3 - "$tarball" "$folder.part" <<'EOF'
import sys, tarfile
from pathlib import Path, PurePosixPath
archive, folder = sys.argv[1], Path(sys.argv[2])
with tarfile.open(archive) as files:
    for member in files:
        inside = PurePosixPath(member.name).parts[4:]
        if "/src/test/regress/" in member.name and member.isfile() and inside and \
                inside[0] in ("sql", "data", "expected", "parallel_schedule") and ".." not in inside:
            to = folder.joinpath(*inside)
            to.parent.mkdir(parents=True, exist_ok=True)
            to.write_bytes(files.extractfile(member).read())
EOF
mv "$folder.part" "$folder"
