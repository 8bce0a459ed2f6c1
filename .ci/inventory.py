#!/usr/bin/env python3
"""Says what a build of Batida is made of: the licences as text, and the parts as CycloneDX JSON (an SBOM).

The same Cargo.lock, features and target give the same bytes. Parts are the crates that are linked (not those that only
build or test), the fonts, and SQLite, which comes with one of the crates.
"""

import argparse
import datetime
import hashlib
import json
import os
import re
import subprocess
import sys
import uuid
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# Names of files with the terms of a licence, and those of folders without any of the crate's own.
TERMS = re.compile(r"(?i)(.*[-_])?(licen[sc]e|copying|copyright|notice|unlicense|ofl|ufl)([-_.].*)?")
CODE = {".rs", ".c", ".h", ".py", ".toml", ".json", ".yml", ".yaml"}
SKIPPED = {"tests", "benches", "examples", "target", "testdata", "fuzz"}
# Texts of a licence have fewer bytes.
MAX_TERMS = 200_000

MIT = """MIT License

Copyright (c) {holders}

Permission is hereby granted, free of charge, to any person obtaining a copy of this software and associated documentation \
files (the "Software"), to deal in the Software without restriction, including without limitation the rights to use, copy, \
modify, merge, publish, distribute, sublicense, and/or sell copies of the Software, and to permit persons to whom the \
Software is furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all copies or substantial portions of the \
Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT NOT LIMITED TO THE \
WARRANTIES OF MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS OR \
COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, \
ARISING FROM, OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE.
"""


class Part:
    """Something that a build is made of."""

    def __init__(self, name, version, licence, kind="library"):
        self.name, self.version, self.licence, self.kind = name, version, licence, kind
        self.purl = self.sha256 = self.repository = self.folder = None
        self.needs = []
        self.texts = []

    @property
    def ref(self):
        return self.purl or self.name


def expression(licence):
    """A licence as an SPDX expression; crates of before 2018 wrote `MIT/Apache-2.0`."""
    return " OR ".join(word.strip() for word in licence.split("/"))


def texts_in(folder):
    """The texts of licences in a crate's folder, by path."""
    found = []
    for where, folders, files in os.walk(folder):
        folders[:] = sorted(set(folders) - SKIPPED)
        for name in sorted(files):
            path = Path(where, name)
            if TERMS.fullmatch(name) and path.suffix not in CODE and path.stat().st_size < MAX_TERMS:
                found.append(path.read_text("utf-8", "replace"))
    return found


def text_of(licence, holders):
    """The terms of a crate that has no file with them.

    Raises ValueError for a licence whose text is not known here.
    """
    words = set(re.findall(r"[A-Za-z0-9.+-]+", licence))
    if "AND" not in words and "Apache-2.0" in words:
        return (ROOT / "LICENSE").read_text()
    if "AND" not in words and "MIT" in words:
        return MIT.format(holders=holders)
    raise ValueError(f"no text of {licence!r} is known")


def cargo(*args):
    return subprocess.run([os.environ.get("CARGO", "cargo"), *args], cwd=ROOT, check=True, stdout=subprocess.PIPE).stdout


def checksums(lock):
    """The SHA-256 of each crate's archive, by name and version."""
    # tomllib is not in the Python of before 3.11.
    entry = re.compile(r'name = "(.*)"\nversion = "(.*)"\n(?:source = .*\n)?(?:checksum = "(.*)"\n)?')
    return {(name, version): checksum or None for name, version, checksum in entry.findall(lock)}


def crates(target, features):
    """Batida and the crates that it is linked with."""
    # `cargo metadata` also counts what only the tests need; `cargo tree` knows what is linked.
    tree = cargo("tree", "--locked", "--edges", "normal", "--prefix", "none", "--format", "{p}", "--target", target, *features)
    linked = {tuple(line.split()[:2]) for line in tree.decode().splitlines() if line}
    graph = json.loads(
        cargo("metadata", "--locked", "--format-version", "1", "--filter-platform", target, *features)
    )
    sums = checksums((ROOT / "Cargo.lock").read_text())
    edges = {node["id"]: node["deps"] for node in graph["resolve"]["nodes"]}
    own = graph["resolve"]["root"]
    parts, ids = {}, {}
    for package in graph["packages"]:
        name, version = package["name"], package["version"]
        if (name, f"v{version}") not in linked:
            continue
        part = Part(name, version, expression(package["license"] or "NOASSERTION"))
        part.purl = f"pkg:cargo/{name}@{version}"
        part.sha256, part.repository = sums[name, version], package["repository"]
        part.needs = [
            dep["pkg"] for dep in edges[package["id"]] if any(kind["kind"] is None for kind in dep["dep_kinds"])
        ]
        if package["id"] != own:
            holders = ", ".join(re.sub(r" *<.*?>", "", author) for author in package["authors"])
            part.folder = Path(package["manifest_path"]).parent
            part.texts = texts_in(part.folder) or [text_of(part.licence, holders or f"the authors of {name}")]
        parts[package["id"]] = part
        ids[name, version] = package["id"]
    if len(parts) != len(linked):
        missing = sorted(" ".join(it) for it in linked if (it[0], it[1].removeprefix("v")) not in ids)
        raise ValueError(f"these crates are linked, but unknown: {missing}")
    for part in parts.values():
        part.needs = sorted(parts[need].ref for need in part.needs if need in parts)
    batida = parts.pop(own)
    return batida, sorted(parts.values(), key=lambda part: (part.name, part.version))


def fonts():
    """The fonts of the window, from their own names."""
    folder = ROOT / "assets" / "fonts"
    for path in sorted(folder.glob("*.[ot]tf")):
        part = Part(path.name, None, "OFL-1.1", "file")
        part.sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
        part.texts = [(folder / f"{path.name.split('-')[0]}-OFL.txt").read_text()]
        yield part


def sqlite(parts):
    """SQLite, whose C sources a crate brings and builds."""
    crate = next(part for part in parts if part.name == "libsqlite3-sys")
    header = (crate.folder / "sqlite3" / "sqlite3.h").read_text("utf-8", "replace")
    version = re.search(r'#define SQLITE_VERSION +"([0-9.]+)"', header).group(1)
    part = Part("sqlite", version, "blessing")
    part.purl = f"pkg:generic/sqlite@{version}"
    part.texts = ["SQLite is in the public domain: https://www.sqlite.org/copyright.html\n"]
    crate.needs = sorted([*crate.needs, part.ref])
    return part


def licences(parts):
    """The page with each text once, after a list of who is under it."""
    by_text = {}
    for part in parts:
        for text in part.texts:
            # Only how the lines are broken differs in many.
            key = " ".join(text.split())
            by_text.setdefault(key, (text, []))[1].append(part)
    page = [
        "Batida is licensed under the Apache License, Version 2.0. It contains the following works of others.\n",
        *(f"  {label(part)}: {part.licence}" for part in parts),
    ]
    groups = sorted(by_text.values(), key=lambda group: (-len(group[1]), label(group[1][0])))
    for text, of in groups:
        names = sorted({label(part) for part in of})
        page += ["\n" + "=" * 80, "For " + ", ".join(names) + ":\n", text.strip("\n")]
    return "\n".join(line.rstrip() for line in "\n".join(page).splitlines()) + "\n"


def label(part):
    return part.name if part.version is None else f"{part.name} {part.version}"


def component(part):
    made = {"type": part.kind, "bom-ref": part.ref, "name": part.name}
    if part.version is not None:
        made["version"] = part.version
    if part.sha256:
        made["hashes"] = [{"alg": "SHA-256", "content": part.sha256}]
    made["licenses"] = [{"expression": part.licence}]
    if part.purl:
        made["purl"] = part.purl
    if part.repository:
        made["externalReferences"] = [{"type": "vcs", "url": part.repository}]
    return made


def sbom(batida, parts, made_at):
    """CycloneDX 1.5, for https://cyclonedx.org/schema/bom-1.5.schema.json"""
    own = component(batida) | {"type": "application"}
    needs = sorted([*batida.needs, *(part.ref for part in parts if part.kind == "file")])
    document = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {
            "timestamp": datetime.datetime.fromtimestamp(made_at, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "component": own,
        },
        "components": [component(part) for part in parts],
        "dependencies": [
            {"ref": batida.ref, "dependsOn": needs},
            *({"ref": part.ref, "dependsOn": part.needs} for part in parts),
        ],
    }
    # The number names the content, so that two builds of one commit have the same.
    name = uuid.uuid5(uuid.NAMESPACE_URL, json.dumps(document, sort_keys=True))
    return document | {"serialNumber": f"urn:uuid:{name}"}


def main():
    args = argparse.ArgumentParser(description=__doc__)
    args.add_argument("--target", required=True)
    args.add_argument("--no-default-features", action="store_true")
    args.add_argument("--licences", type=Path)
    args.add_argument("--sbom", type=Path)
    args = args.parse_args()
    features = ["--no-default-features"] if args.no_default_features else []
    batida, parts = crates(args.target, features)
    parts.append(sqlite(parts))
    if not args.no_default_features:
        parts += fonts()
    if args.licences:
        args.licences.write_text(licences(parts), "utf-8")
    if args.sbom:
        made_at = int(os.environ["SOURCE_DATE_EPOCH"])
        args.sbom.write_text(json.dumps(sbom(batida, parts, made_at), indent=1, ensure_ascii=False) + "\n", "utf-8")
    print(f"{len(parts)} parts", file=sys.stderr)


if __name__ == "__main__":
    main()
