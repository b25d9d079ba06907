"""What execute.py and the notebook tests share: the six notebooks, the kernelspec, and what is volatile in an output.

Nothing here runs a notebook; nothing here knows what a notebook is about.
"""
import json
import os
import re
import shutil
import urllib.request
from pathlib import Path

import nbformat

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = ROOT / "notebooks"
CHECKS = NOTEBOOKS / "checks"

# file name -> exact title in the first cell; the order is the order of the workshop
TITLES = {
    "01_lecture_concepts_and_architecture": "1 Lecture – Lakebase Core Concepts and Architecture",
    "02_lab_creating_and_exploring": "2 Lab – Creating and Exploring a Lakebase PostgreSQL Database",
    "03_lecture_ways_to_access": "3 Lecture – Ways to Access Your Database",
    "04_lab_single_connection": "4 Lab – Single Connection Python to Access Lakebase",
    "05_lab_connection_pool": "5 Lab – Python Connection Pool for Lakebase",
    "06_lab_sync_tables": "6 Lab – Sync Tables from Unity Catalog to Lakebase",
}

IGNORED = "nbval-ignore-output"


def notebooks():
    """The notebooks that exist, in the order of the workshop."""
    return sorted(NOTEBOOKS.glob("*.ipynb"))


def read(path):
    return nbformat.read(path, as_version=4)


def write(path, notebook):
    """Sorted keys and one space: the same notebook always gives the same bytes."""
    text = json.dumps(notebook, indent=1, ensure_ascii=False, sort_keys=True) + "\n"
    beside = path.with_suffix(".new")
    beside.write_text(text)
    beside.replace(path)


def tags(cell):
    return cell.metadata.get("tags", [])


def code_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def put_kernelspec(folder, kernel):
    """The kernelspec `lakebase` under folder/kernels, for a JUPYTER_PATH."""
    spec = Path(folder) / "kernels/lakebase"
    spec.mkdir(parents=True, exist_ok=True)
    (spec / "kernel.json").write_text((ROOT / "kernelspec/kernel.json.in").read_text().replace("@KERNEL@", str(kernel)))
    for logo in (ROOT / "kernelspec").glob("logo-*"):
        shutil.copy(logo, spec)
    return Path(folder)


def installed_major():
    """The newest PostgreSQL server here: the one that the workspace takes. None: it is somewhere else."""
    majors = [path.parts[4] for path in Path("/").glob("usr/lib/postgresql/*/bin/postgres")]
    return max(majors, key=int, default=None)


def postgresql_major(environ):
    """The major of the instances, asked from the workspace that DATABRICKS_HOST names: "15". A lecture may have removed its
    instance again; then it is the one that the workspace would take."""
    request = urllib.request.Request(f"{environ['DATABRICKS_HOST']}/api/2.0/database/instances",
                                     headers={"Authorization": f"Bearer {environ['DATABRICKS_TOKEN']}"})
    with urllib.request.urlopen(request, timeout=20) as answer:
        instances = json.load(answer).get("database_instances", [])
    return instances[0]["pg_version"].removeprefix("PG_VERSION_") if instances else installed_major()


VOLATILE = re.compile(r"[0-9a-f]*[0-9][0-9a-f]*|-+| +")


def masked(value):
    """A value of an output without what changes from run to run: numbers, ids, times, and the padding they cause."""
    return VOLATILE.sub("#", json.dumps(value, sort_keys=True, ensure_ascii=False))


def private_environ(state_dir, home, spec):
    """The environment for a kernel that may touch nothing of the user's."""
    foreign = ("DATABRICKS_", "PG", "JUPYTER", "IPYTHON", "LAKEBASE_", "XDG_")
    environ = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    environ.update(HOME=str(home), LAKEBASE_STATE_DIR=str(state_dir), JUPYTER_PATH=str(spec), JUPYTER_PLATFORM_DIRS="1",
                   JUPYTER_CONFIG_DIR=f"{home}/config", JUPYTER_DATA_DIR=f"{home}/data",
                   JUPYTER_RUNTIME_DIR=f"{home}/run", PATH=f"{ROOT}/.venv/bin:{os.environ['PATH']}")
    return environ
