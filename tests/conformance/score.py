#!/usr/bin/env python3
"""How what an engine said compares with the bursts that are there.

    score.py EXPECTED.ndjson FOUND.ndjson [--rule RULE]...

The form of both files and the meaning of the numbers are in README.md. Exits with 1 if a burst was
missed or something false was said.
"""

import argparse
import json
import sys


def load(path, rules):
    """Bursts by rule and key, each (first, last, count); times compare as text, being UTC."""
    by_key = {}
    with open(path, encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            burst = json.loads(line)
            for name in ("rule", "key", "first", "last"):
                if name not in burst:
                    sys.exit(f"{path}:{number}: no {name}")
            if burst["first"] > burst["last"]:
                sys.exit(f"{path}:{number}: first is after last")
            if rules and burst["rule"] not in rules:
                continue
            key = (burst["rule"], json.dumps(burst["key"], sort_keys=True))
            by_key.setdefault(key, []).append((burst["first"], burst["last"], burst.get("count")))
    return by_key


def overlap(one, other):
    return one[0] <= other[1] and other[0] <= one[1]


def score(expected, found):
    """Counts, and the bursts missed and things false, each as (rule, key, (first, last, count))."""
    counts = {"bursts": 0, "exact": 0, "found": 0, "repeated": 0}
    missed, false = [], []
    for key, bursts in expected.items():
        said = found.get(key, [])
        for burst in bursts:
            counts["bursts"] += 1
            touching = [other for other in said if overlap(burst, other)]
            counts["exact"] += burst in touching
            counts["found"] += bool(touching)
            counts["repeated"] += max(0, len(touching) - 1)
            if not touching:
                missed.append((*key, burst))
    for key, said in found.items():
        bursts = expected.get(key, [])
        false.extend((*key, o) for o in said if not any(overlap(burst, o) for burst in bursts))
    return counts, missed, false


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("expected")
    parser.add_argument("found")
    parser.add_argument("--rule", action="append", default=[], help="score this rule alone")
    arguments = parser.parse_args()
    expected = load(arguments.expected, arguments.rule)
    found = load(arguments.found, arguments.rule)
    if not expected:
        sys.exit("no burst is expected: there is nothing to score")
    counts, missed, false = score(expected, found)
    for rule, key, burst in sorted(missed, key=str):
        print(f"missed  {rule} {key} {burst[0]} {burst[1]}")
    for rule, key, burst in sorted(false, key=str):
        print(f"false   {rule} {key} {burst[0]} {burst[1]}")
    print(
        f"{counts['bursts']} bursts: {counts['exact']} exact, {counts['found']} found, "
        f"{len(missed)} missed, {len(false)} false, {counts['repeated']} repeated"
    )
    return 1 if missed or false else 0


if __name__ == "__main__":
    sys.exit(main())
