"""The project's own lint: one function per rule, each returns its findings as "file:line: what".

Every function takes the root of a source tree, so that selftest.py can hand it a small tree with a planted
violation. run.py runs them. This is no style checker: layout is a matter for .clang-format and reviewers.
"""
import ast
import json
import os
import re
import shlex
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

SKIPPED_DIRS = {".git", ".venv", "build", "__pycache__", ".ipynb_checkpoints", ".pytest_cache"}
TOP_LEVEL = {"Makefile", "README.md", "LICENSE", "kernel", "notebooks", "images", "kernelspec", "tests", "docker"}
MAX_FILE_LINES = 600
BINARY = {".png", ".jpg", ".jpeg", ".gif", ".ico", ".gz", ".whl", ".parquet"}

# Whose header is it? The first pattern that fits decides; a header that fits none is libc's or POSIX's.
HEADER_OWNERS = [
    (r"jansson", "jansson"), (r"uuid/", "uuid"), (r"zmq", "libzmq"), (r"openssl/ssl\.h", "openssl"),
    (r"openssl/", "libcrypto"), (r"libpq|postgres_ext|pg_config", "libpq"), (r"curl/", "libcurl"),
    (r"sqlite3", "sqlite3"), (r"microhttpd", "libmicrohttpd"), (r"lber|ldap", "lber"), (r"zlib", "zlib"),
    (r"duckdb", "libduckdb"), (r"roaring", "libroaring"), (r"cmocka", "cmocka"),
]
BANNED = {
    "strcpy": "snprintf or buf_*", "strcat": "buf_*", "sprintf": "snprintf or buf_printf", "vsprintf": "vsnprintf",
    "stpcpy": "buf_*", "strncpy": "snprintf (it may leave the end off)", "strncat": "buf_*", "gets": "fgets",
    "strtok": "strtok_r", "atoi": "strtol with its checks", "atol": "strtol with its checks",
    "atoll": "strtoll with its checks", "atof": "strtod with its checks", "system": "posix_spawn",
    "popen": "posix_spawn", "alloca": "arena_*", "rand": "getrandom", "srand": "getrandom", "random": "getrandom",
    "tmpnam": "mkstemp", "tempnam": "mkstemp", "mktemp": "mkstemp", "gethostbyname": "getaddrinfo",
    "localtime": "localtime_r", "gmtime": "gmtime_r", "asctime": "strftime", "ctime": "strftime",
    "vfork": "posix_spawn",
}
# Words that mark what is not done; spelled in halves so that this file passes its own rule.
UNDONE = re.compile(r"\b(?:TO" r"DO|FIX" r"ME|XX" r"X|HA" r"CK)\b")
MACHINE_PATH = re.compile(r"(?<![\w.])/(?:wo" r"rk|ro" r"ot)/")


def files(root, *suffixes, under=""):
    """Paths below root/under, relative to root, in name order."""
    found = []
    for folder, dirs, names in os.walk(Path(root) / under):
        dirs[:] = sorted(d for d in dirs if d not in SKIPPED_DIRS)
        for name in sorted(names):
            if not suffixes or name.endswith(suffixes):
                found.append((Path(folder) / name).relative_to(root))
    return found


def text_of(root, path):
    return (Path(root) / path).read_text(encoding="utf-8", errors="replace")


def without_comments(source, strings=True):
    """C source with comments, and unless told otherwise literals, blanked; line numbers stay."""
    pattern = r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\''

    def blank(match):
        if match[0][0] in "\"'" and not strings:
            return match[0]
        return match[0][0] + "\n" * match[0].count("\n") + match[0][-1] if match[0][0] in "\"'" else \
            " " + "\n" * match[0].count("\n")

    return re.sub(pattern, blank, source, flags=re.S)


def read_layers(root):
    """layers.txt as {folder: (folders it may include, libraries)}; None means anything."""
    table = {}
    for line in text_of(root, "tests/lint/layers.txt").splitlines():
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        name, may, libraries = (part.split() for part in line.split("|"))
        table[name[0]] = (None if may == ["*"] else set(may), None if libraries == ["*"] else set(libraries))
    return table


def below(table, folder):
    """The folder and everything it links."""
    seen, todo = set(), [folder]
    while todo:
        name = todo.pop()
        if name not in seen:
            seen.add(name)
            todo += table[name][0] or ()
    return seen


def owner_of(header):
    return next((who for pattern, who in HEADER_OWNERS if re.match(pattern, header)), None)


def check_layers(root):
    """Includes obey tests/lint/layers.txt, for folders and for outside libraries."""
    table, found = read_layers(root), []
    for name, (may, _) in table.items():
        for other in may or ():
            if other not in table:
                found.append(f"tests/lint/layers.txt: {name} may include {other}, which has no row")
            elif name in below(table, other):
                found.append(f"tests/lint/layers.txt: {name} and {other} include each other")
    if found:
        return found
    units = [f for f in files(root, ".c", under="tests/unit") if f.name.startswith("test_")]
    for path in files(root, ".c", ".h", ".def", under="kernel") + units:
        is_unit = path.parts[0] == "tests"
        folder = path.stem.split("_")[1] if is_unit else path.parts[1]
        if folder not in table:
            found.append(f"{path}:1: folder {folder} has no row in tests/lint/layers.txt")
            continue
        may, libraries = table[folder]
        if is_unit:
            may = below(table, folder)
            libraries = set().union({"cmocka"}, *(table[f][1] for f in may))
        for number, line in enumerate(text_of(root, path).splitlines(), 1):
            if match := re.match(r'\s*#\s*include\s*"([^"]+)"', line):
                target = match[1].split("/")[0] if "/" in match[1] else None
                if target is None and not is_unit:
                    found.append(f'{path}:{number}: write the folder: #include "{folder}/{match[1]}"')
                elif is_unit and target == "..":
                    continue  # a fuzz target or a helper of another test folder
                elif target and may is not None and target != folder and target not in may:
                    found.append(f"{path}:{number}: {folder} may not include {target} (tests/lint/layers.txt)")
            elif match := re.match(r"\s*#\s*include\s*<([^>]+)>", line):
                owner = owner_of(match[1])
                if owner == "libcrypto" and libraries is not None and "openssl" in libraries:
                    continue
                if owner and libraries is not None and owner not in libraries:
                    found.append(f"{path}:{number}: {folder} may not use {owner} (tests/lint/layers.txt)")
    return found


def check_headers(root):
    """Each header compiles alone, and twice."""
    cc = os.environ.get("CC", "cc")
    flags = shlex.split(os.environ.get("LINT_CFLAGS", "-std=c11 -D_GNU_SOURCE -Wall -Werror -Ikernel"))

    def one(path):
        include = f'#include "{path.relative_to("kernel")}"\n'
        unit = include * 2 + "extern int a_unit_is_not_empty;\n"
        done = subprocess.run([cc, *flags, "-fsyntax-only", "-x", "c", "-"], input=unit, text=True,
                              capture_output=True, cwd=root)
        error = next((s for s in done.stderr.splitlines() if "error" in s), done.stderr[:200])
        return f"{path}:1: does not compile alone: {error}" if done.returncode else None

    with ThreadPoolExecutor(2) as pool:
        return [finding for finding in pool.map(one, files(root, ".h", under="kernel")) if finding]


def check_banned(root):
    """Calls that cannot be made safe."""
    pattern, found = re.compile(r"(?<![\w.>])(" + "|".join(BANNED) + r")\s*\("), []
    for path in files(root, ".c", ".h", ".def", under="kernel") + files(root, ".c", ".h", under="tests"):
        for number, line in enumerate(without_comments(text_of(root, path)).splitlines(), 1):
            for match in pattern.finditer(line):
                found.append(f"{path}:{number}: {match[1]}() is banned; use {BANNED[match[1]]}")
    return found


def check_sizes(root):
    """No C file over 600 lines."""
    found = []
    for path in files(root, ".c", ".h", under="kernel") + files(root, ".c", ".h", ".py", ".sh", under="tests"):
        lines = text_of(root, path).count("\n")
        if lines > MAX_FILE_LINES:
            found.append(f"{path}:{MAX_FILE_LINES}: {lines} lines; {MAX_FILE_LINES} is the end, find its two subjects")
    return found


def check_purpose(root):
    """Every file of code begins with what it is for."""
    found = []
    for path in files(root, ".c", ".h", ".def", under="kernel") + files(root, ".c", ".h", under="tests"):
        match = re.match(r"\s*/\*(.*?)\*/", text_of(root, path), re.S)
        if not match or len(re.findall(r"\w+", match[1])) < 4:
            found.append(f"{path}:1: begin with a comment: what this file is for, and what it is not")
    return found


def check_comments(root):
    """Comments in C are /* */."""
    found = []
    for path in files(root, ".c", ".h", ".def", under="kernel") + files(root, ".c", ".h", under="tests"):
        source = re.sub(r"/\*.*?\*/", lambda m: "\n" * m[0].count("\n"), text_of(root, path), flags=re.S)
        source = re.sub(r'"(?:\\.|[^"\\\n])*"', '""', source)
        for number, line in enumerate(source.splitlines(), 1):
            if "//" in line:
                found.append(f"{path}:{number}: write /* */, not //")
    return found


def check_magics(root):
    """magics/list.def and the files m_*.c name the same magics."""
    base = Path(root) / "kernel/magics"
    if not (base / "list.def").exists():
        return []
    rows = re.findall(r"^\s*MAGIC\(\s*(\w+)\s*[,)]", without_comments(text_of(root, "kernel/magics/list.def")), re.M)
    found = [f"kernel/magics/list.def:1: {name} is listed twice" for name in sorted(set(rows)) if rows.count(name) > 1]
    defined = {}
    for path in sorted(base.glob("m_*.c")):
        for name in re.findall(r"^const struct magic magic_(\w+)\s*=", path.read_text(), re.M):
            defined[name] = path.name
        if path.name not in defined.values():
            found.append(f"kernel/magics/{path.name}:1: defines no const struct magic magic_<name>")
    found += [f"kernel/magics/list.def:1: {name} has no m_*.c that defines it" for name in set(rows) - set(defined)]
    found += [f"kernel/magics/{defined[name]}:1: {name} is not in list.def" for name in set(defined) - set(rows)]
    return found


def check_words(root):
    """Nothing undone is left in, and nothing names this machine."""
    found = []
    for path in files(root):
        if path.suffix in BINARY or path.name == "LICENSE":
            continue
        for number, line in enumerate(text_of(root, path).splitlines(), 1):
            for pattern, what in ((UNDONE, "is left over"), (MACHINE_PATH, "is a path of one machine")):
                if match := pattern.search(line):
                    found.append(f"{path}:{number}: {match[0]} {what}")
    return found


def check_top_level(root):
    """The top level holds the nine entries and dot files."""
    return [f"{name}:1: does not belong at the top level" for name in sorted(os.listdir(root))
            if name not in TOP_LEVEL and name != "build" and not name.startswith(".")]


def is_shell(root, path):
    if path.suffix == ".sh":
        return True
    if path.suffix or path.name == "LICENSE":
        return False
    with open(Path(root) / path, "rb") as stream:
        return re.match(rb"#! ?/(usr/bin/env |bin/)(ba)?sh\b", stream.readline()) is not None


def check_scripts(root):
    """Shell scripts pass shellcheck, Python and JSON parse."""
    found = []
    scripts = [str(p) for p in files(root) if is_shell(root, p)]
    if not shutil.which("shellcheck"):
        found.append("tests/lint: shellcheck is not installed (docker/packages.txt, group test)")
    elif scripts:
        done = subprocess.run(["shellcheck", "-x", "--format=gcc", *scripts], cwd=root, capture_output=True, text=True)
        found += done.stdout.splitlines() + done.stderr.splitlines()
    for path in files(root, ".py", ".json", ".ipynb"):
        try:
            (ast.parse if path.suffix == ".py" else json.loads)(text_of(root, path))
        except (SyntaxError, ValueError) as error:
            found.append(f"{path}:{getattr(error, 'lineno', 1)}: does not parse: {error}")
    return found


def check_space(root):
    """No tabs or blanks at line ends in C; one newline ends a file."""
    found = []
    for path in files(root, ".c", ".h", ".def", under="kernel") + files(root, ".c", ".h", ".py", ".sh", under="tests"):
        text = text_of(root, path)
        for number, line in enumerate(text.splitlines(), 1):
            if "\t" in line and path.suffix != ".sh":
                found.append(f"{path}:{number}: tab")
            if line != line.rstrip():
                found.append(f"{path}:{number}: blank at the end of the line")
        if text and (not text.endswith("\n") or text.endswith("\n\n")):
            found.append(f"{path}:{text.count(chr(10))}: end the file with one newline")
    return found


CHECKS = [check_layers, check_headers, check_banned, check_sizes, check_purpose, check_comments, check_magics,
          check_words, check_top_level, check_scripts, check_space]
