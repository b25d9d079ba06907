"""Does each check find what it is there for? Small trees: a clean one must pass, a planted violation must be found.

A plant is (check, {path: text}, what its finding must contain). Texts replace or add to the clean tree.
"""
import tempfile
from pathlib import Path

import checks

HEADER = "/* A header that is fine and alone. */\n#ifndef A_H\n#define A_H\nint a_one(void);\n#endif\n"
SOURCE = '/* A source file with a purpose. */\n#include "base/a.h"\n\nint a_one(void)\n{\n    return 1;\n}\n'
CLEAN = {
    "Makefile": "all:\n",
    "kernel/base/a.h": HEADER,
    "kernel/base/a.c": SOURCE,
    "kernel/pg/p.c": '/* The only user of libpq. */\n#include "base/a.h"\n#include <libpq-fe.h>\n',
    "kernel/magics/list.def": "/* One line for each magic. */\nMAGIC(help)\n",
    "kernel/magics/m_help.c": "/* Shows what there is to know. */\nconst struct magic magic_help = {0};\n",
    "tests/lint/layers.txt": "base | | jansson\npg | base | libpq\nmagics | base pg |\nbin | * | *\n",
    "tests/unit/test_base_a.c": '/* What a_one gives back. */\n#include <cmocka.h>\n#include "base/a.h"\n',
    "docker/x.sh": "#!/bin/sh\necho fine\n",
}


def c(body, comment="/* A source file with a purpose. */\n"):
    return {"kernel/base/bad.c": comment + body}


PLANTS = [
    (checks.check_layers, c('#include "pg/conn.h"\n'), "base may not include pg"),
    (checks.check_layers, c("#include <libpq-fe.h>\n"), "base may not use libpq"),
    (checks.check_layers, c("#include <zmq.h>\n"), "base may not use libzmq"),
    (checks.check_layers, c("#  include <openssl/hmac.h>\n"), "base may not use libcrypto"),
    (checks.check_layers, c('#include "a.h"\n'), "write the folder"),
    (checks.check_layers, {"kernel/attic/x.h": HEADER}, "has no row"),
    (checks.check_layers, {"tests/lint/layers.txt": "base | pg |\npg | base |\nmagics | |\n"}, "include each other"),
    (checks.check_layers, {"tests/unit/test_base_b.c": '/* A test of a layer. */\n#include "pg/conn.h"\n'}, "may not"),
    (checks.check_headers, {"kernel/base/a.h": HEADER.replace("int a", "size_t a")}, "does not compile alone"),
    (checks.check_headers, {"kernel/base/a.h": "/* No guard. */\nenum two { TWICE };\n"}, "does not compile alone"),
    (checks.check_banned, c("void f(char *d) { strcpy(d, d); }\n"), "strcpy() is banned"),
    (checks.check_banned, c("int f(void) { return system (0); }\n"), "system() is banned"),
    (checks.check_sizes, c("int x;\n" * 600), "601 lines"),
    (checks.check_purpose, c("int x;\n", comment=""), "begin with a comment"),
    (checks.check_purpose, c("int x;\n", comment="/* x */\n"), "begin with a comment"),
    (checks.check_comments, c("int x; // one\n"), "write /* */"),
    (checks.check_magics, {"kernel/magics/m_new.c": "const struct magic magic_new = {0};\n"}, "new is not in list.def"),
    (checks.check_magics, {"kernel/magics/list.def": "MAGIC(help)\nMAGIC(gone)\n"}, "gone has no m_*.c"),
    (checks.check_magics, {"kernel/magics/list.def": "MAGIC(help)\nMAGIC(help)\n"}, "listed twice"),
    (checks.check_words, c("/* TO" "DO: more */\n"), "is left over"),
    (checks.check_words, {"README.md": "see /wo" "rk/here\n"}, "path of one machine"),
    (checks.check_top_level, {"notes.txt": "x\n"}, "does not belong"),
    (checks.check_scripts, {"docker/x.sh": "#!/bin/sh\necho $1\n"}, "SC2086"),
    (checks.check_scripts, {".ci/run": "#!/bin/sh\ncd $1\n"}, "SC2"),
    (checks.check_scripts, {"tests/x.py": "def f(:\n"}, "does not parse"),
    (checks.check_scripts, {"notebooks/x.ipynb": "{\n"}, "does not parse"),
    (checks.check_space, c("int x; \n"), "blank at the end"),
    (checks.check_space, c("\tint x;\n"), "tab"),
    (checks.check_space, c("int x;"), "one newline"),
]
# What looks like a violation and is none.
FINE = [
    (checks.check_banned, c('/* strcpy() is banned */\nconst char *x = "system(1)"; int y = xsystem(1);\n')),
    (checks.check_comments, c('const char *x = "http://x"; /* see http://x */\n')),
    (checks.check_layers, c("#include <jansson.h>\n#include <stdio.h>\n")),
    (checks.check_words, {"README.md": "workshop, home/work/x\n"}),
]


def plant(folder, texts):
    for path, text in texts.items():
        target = Path(folder) / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)


def found_in(check, texts):
    with tempfile.TemporaryDirectory() as folder:
        plant(folder, CLEAN)
        plant(folder, texts)
        return check(folder)


def failures():
    """One line for each check that is blind, or sees what is not there."""
    bad = []
    for check in checks.CHECKS:
        if findings := found_in(check, {}):
            bad.append(f"{check.__name__} on a clean tree: {findings[0]}")
        if all(check is not planted[0] for planted in PLANTS):
            bad.append(f"{check.__name__} has no planted violation")
    for check, texts, wanted in PLANTS:
        findings = found_in(check, texts)
        if not any(wanted in finding for finding in findings):
            bad.append(f"{check.__name__} did not find {sorted(texts)} ({wanted}); it found {findings}")
    for check, texts in FINE:
        if findings := found_in(check, texts):
            bad.append(f"{check.__name__} complains about what is fine: {findings[0]}")
    return bad
