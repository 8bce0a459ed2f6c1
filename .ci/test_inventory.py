#!/usr/bin/env python3
"""Tests of inventory.py, and of the SBOMs that are named: each must hold to CycloneDX's schema and know every crate.

Needs cyclonedx-python-lib, which ships the schemas.
"""

import json
import sys
import tempfile
import unittest
from pathlib import Path

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

import inventory
from inventory import Part

SBOMS = [Path(path) for path in sys.argv[1:]]
SCHEMA = JsonStrictValidator(SchemaVersion.V1_5)


def part(name, texts=(), needs=(), kind="library"):
    made = Part(name, "1.0", "MIT", kind)
    made.purl, made.texts, made.needs = f"pkg:cargo/{name}@1.0", list(texts), list(needs)
    return made


class Inventory(unittest.TestCase):
    def test_old_licences_are_expressions(self):
        self.assertEqual(inventory.expression("MIT/Apache-2.0"), "MIT OR Apache-2.0")
        self.assertEqual(inventory.expression("MIT AND (MIT OR Apache-2.0)"), "MIT AND (MIT OR Apache-2.0)")

    def test_checksums_are_those_of_the_lock(self):
        lock = '''version = 4

[[package]]
name = "own"
version = "0.1.0"
dependencies = [
 "a",
]

[[package]]
name = "a"
version = "1.2.3+x"
source = "registry+https://example.com"
checksum = "c0ffee"
'''
        self.assertEqual(inventory.checksums(lock), {("own", "0.1.0"): None, ("a", "1.2.3+x"): "c0ffee"})

    def test_a_text_is_found_below_and_code_and_tests_are_none(self):
        with tempfile.TemporaryDirectory() as folder:
            for name in ["LICENSE-MIT", "license.rs", "fonts/OFL.txt", "tests/LICENSE", "README.md", "vendored.license"]:
                path = Path(folder, name)
                path.parent.mkdir(exist_ok=True)
                path.write_text(name)
            self.assertEqual(inventory.texts_in(folder), ["LICENSE-MIT", "fonts/OFL.txt"])

    def test_a_missing_text_is_chosen_by_the_licence(self):
        self.assertIn("Apache License", inventory.text_of("MIT OR Apache-2.0", "x"))
        self.assertIn("Copyright (c) Ada", inventory.text_of("MIT", "Ada"))
        for unknown in ["Zlib", "MIT AND OFL-1.1", "NOASSERTION"]:
            with self.assertRaises(ValueError):
                inventory.text_of(unknown, "x")

    def test_a_text_stands_once_for_all_who_have_it(self):
        page = inventory.licences([part("a", ["One\nlicence"]), part("b", ["One  licence\n", "Other"])])
        self.assertEqual(page.count("licence\n"), 1)
        self.assertIn("For a 1.0, b 1.0:\n\nOne\nlicence\n", page)
        self.assertIn("For b 1.0:\n\nOther\n", page)

    def test_the_same_parts_give_the_same_document(self):
        made = [
            json.dumps(inventory.sbom(part("own", needs=["pkg:cargo/a@1.0"]), [part("a")], 0)) for _ in range(2)
        ]
        self.assertEqual(made[0], made[1])
        other = inventory.sbom(part("own"), [part("a"), part("b")], 0)
        self.assertNotEqual(json.loads(made[0])["serialNumber"], other["serialNumber"])
        self.assertIsNone(SCHEMA.validate_str(made[0]))
        other["components"][0]["type"] = "no such type"
        self.assertIsNotNone(SCHEMA.validate_str(json.dumps(other)), "the schema is not looked at")

    def test_the_documents_hold_to_the_schema_and_are_whole(self):
        for path in SBOMS:
            text = path.read_text("utf-8")
            self.assertIsNone(SCHEMA.validate_str(text), path)
            document = json.loads(text)
            known = [it["bom-ref"] for it in document["components"]]
            known.append(document["metadata"]["component"]["bom-ref"])
            self.assertEqual(len(known), len(set(known)), path)
            reached, new = set(), [document["metadata"]["component"]["bom-ref"]]
            needs = {it["ref"]: it["dependsOn"] for it in document["dependencies"]}
            while new:
                ref = new.pop()
                if ref not in reached:
                    reached.add(ref)
                    new += needs[ref]
            self.assertEqual(reached, set(known), f"{path}: parts that nothing needs, or that are not listed")
            crates = [it for it in document["components"] if it.get("purl", "").startswith("pkg:cargo/")]
            self.assertGreater(len(crates), 200, path)
            self.assertTrue(all(it["hashes"] for it in crates), path)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
