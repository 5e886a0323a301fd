#!/usr/bin/env python3
"""The shipped rules' own tests, judged by pySigma: a second opinion on rules and tests alike.

    rule_tests.py RULES_DIR

Builds the records as `detectors/rules/README.md` says, and compares bursts with `expect`. What
Sigma cannot say (first_seen, surge, silence), and what SQL cannot (arrays), is counted as not
judged, by name; levels, which further marks decide, are not looked at. Exits with 1 if a test fails.
"""

import copy
import glob
import json
import os
import sys
import uuid

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path = [p for p in sys.path if os.path.abspath(p or ".") != HERE] + [HERE]

import yaml  # noqa: E402

from judge import Judge  # noqa: E402
import rules  # noqa: E402

BEGIN = 1767603600  # 2026-01-05T09:00:00Z
READS = ("Get", "List", "Describe", "Search", "BatchGet", "BatchDescribe")
TEMPLATE = {
    "eventVersion": "1.11",
    "userIdentity": {
        "type": "AssumedRole",
        "principalId": "AROAEXAMPLEEXAMPLE00:session",
        "arn": "arn:aws:sts::111122223333:assumed-role/train/session",
        "accountId": "111122223333",
        "accessKeyId": "ASIAEXAMPLEEXAMPLE00",
        "sessionContext": {
            "sessionIssuer": {
                "type": "Role",
                "principalId": "AROAEXAMPLEEXAMPLE00",
                "arn": "arn:aws:iam::111122223333:role/train",
                "accountId": "111122223333",
                "userName": "train",
            },
            "attributes": {"creationDate": "2026-01-05T08:00:00Z", "mfaAuthenticated": "false"},
        },
    },
    "awsRegion": "us-east-1",
    "sourceIPAddress": "198.51.100.7",
    "userAgent": "rule-test",
    "requestParameters": {},
    "responseElements": None,
    "eventType": "AwsApiCall",
    "managementEvent": True,
    "recipientAccountId": "111122223333",
    "eventCategory": "Management",
}


def offset(text):
    text = str(text)
    return -rules.seconds(text[1:]) if text.startswith("-") else rules.seconds(text)


def numbered(node, n):
    if isinstance(node, str):
        return node.replace("{n}", str(n))
    if isinstance(node, list):
        return [numbered(element, n) for element in node]
    if isinstance(node, dict):
        return {key: numbered(value, n) for key, value in node.items()}
    return node


def place(record, path, value):
    *way, last = path.split(".")
    for segment in way:
        if not isinstance(record.get(segment), dict):
            record[segment] = {}
        record = record[segment]
    record[last] = value


def remove(record, path):
    *way, last = path.split(".")
    for segment in way:
        record = record.get(segment)
        if not isinstance(record, dict):
            return
    record.pop(last, None)


def records(test):
    import datetime

    for number, group in enumerate(test["records"]):
        unknown = group.keys() - {"like", "repeat", "start", "every", "with", "without"}
        if unknown:
            raise ValueError(f"unknown keys in a group: {sorted(unknown)}")
        service, name = group["like"].split("/")
        start, every = offset(group.get("start", "0s")), offset(group.get("every", "1s"))
        for n in range(1, group.get("repeat", 1) + 1):
            record = copy.deepcopy(TEMPLATE)
            at = datetime.datetime.fromtimestamp(
                BEGIN + start + (n - 1) * every, datetime.timezone.utc
            )
            record["eventTime"] = at.strftime("%Y-%m-%dT%H:%M:%SZ")
            record["eventSource"] = f"{service}.amazonaws.com"
            record["eventName"] = name
            record["readOnly"] = name.startswith(READS)
            record["eventID"] = str(uuid.uuid5(uuid.NAMESPACE_OID, f"{number}/{n}"))
            record["requestID"] = str(uuid.uuid5(uuid.NAMESPACE_OID, f"request {number}/{n}"))
            for path, value in group.get("with", {}).items():
                place(record, path, numbered(value, n))
            for path in group.get("without", []):
                remove(record, path)
            yield record


def fits(expected, found):
    """Whether a burst is the expected one, as far as pySigma can tell (it folds case in keys)."""
    document, key, first, last, count = found
    names = {document.get("id"), document.get("name"), document.get("title")}
    code = (document.get("floodmark") or {}).get("code")
    return (
        (expected["rule"] in names if "rule" in expected else expected["code"] == code)
        and (count is None or expected.get("count", count) == count)
        and all(key.get(k) == str(v).lower() for k, v in expected.get("key", {}).items())
        and (first is None or "first" not in expected or BEGIN + offset(expected["first"]) == first)
        and ("last" not in expected or BEGIN + offset(expected["last"]) == last)
    )


def spoken(document):
    """A single-record rule as the correlation that it is: at least one, an hour, by principal."""
    extension = document["floodmark"]
    if "correlation" in document or rules.ours(document):
        return document
    return {
        **{key: document[key] for key in ("title", "level", "floodmark") if key in document},
        "correlation": {
            "type": "event_count",
            "rules": [document["id"]],
            "group-by": extension.get("group-by", ["floodmark.account", "floodmark.principal"]),
            "timespan": extension.get("timespan", "1h"),
            "condition": {"gte": 1},
        },
    }


def loaded(shelf, lists):
    """Files and documents with their lists; what lacks one means something Sigma cannot say."""
    found = []
    for path, document in shelf:
        if rules.placeholders(document) - lists.keys():
            extension = {**(document.get("floodmark") or {}), "first_seen": {}}
            document = {**document, "floodmark": extension}
        else:
            document = rules.filled(document, lists)
        found.append((path, document))
    return found


def asked_of(judged, speaking, expect):
    """What is expected of the rules that are judged; None where that cannot be told apart."""
    others = [d for d in speaking if d not in judged]
    codes = {d["floodmark"]["code"] for d in others}
    names = {d[key] for d in others for key in ("id", "name", "title") if key in d}
    if any(expected.get("code") in codes for expected in expect):
        return None
    return [expected for expected in expect if expected.get("rule") not in names]


def standing_on(judged, documents):
    """The rules themselves and all that they count, at any depth."""
    found, names = list(judged), [n for d in judged for n in d["correlation"]["rules"]]
    while names:
        name = names.pop()
        (member,) = [d for d in documents if name in (d.get("name"), d.get("id"))]
        if member not in found:
            found.append(member)
            names.extend(member.get("correlation", {}).get("rules", []))
    return found


def judgeable(document, documents):
    """Whether pySigma can judge the correlation and all it stands on."""
    if "correlation" not in document or rules.ours(document):
        return False
    for name in document["correlation"]["rules"]:
        (member,) = [d for d in documents if name in (d.get("name"), d.get("id"))]
        if rules.ours(member) or ("correlation" in member and not judgeable(member, documents)):
            return False
    return True


def main():
    directory = sys.argv[1]
    with open(os.path.join(HERE, "lists.yml"), encoding="utf-8") as file:
        lists = yaml.safe_load(file)
    shelf = rules.documents(directory)
    by_environment = {}
    passed, failed, left_out = 0, 0, 0
    for path in sorted(glob.glob(os.path.join(directory, "**", "*.test.yml"), recursive=True)):
        beside = os.path.relpath(path, directory).replace(".test.yml", ".yml")
        with open(path, encoding="utf-8") as file:
            tests = yaml.safe_load(file)
        names = [test["name"] for test in tests]
        assert len(names) == len(set(names)), f"{path}: a test name stands twice"
        for test in tests:
            made = list(records(test))
            environment = test.get("environment", {})
            key = json.dumps(environment, sort_keys=True)
            if key not in by_environment:
                by_environment[key] = loaded(shelf, {**lists, **environment})
            documents = by_environment[key]
            own = [d for p, d in documents if p == beside and (d.get("floodmark") or {}).get("code")]
            documents = [d for _, d in documents]
            speaking = [spoken(d) for d in own]
            judged = [d for d in speaking if judgeable(d, documents)]
            judge = Judge(standing_on(judged, documents), made)
            judged = [d for d in judged if judge.has_a_say(d)]
            rest = asked_of(judged, speaking, test["expect"])
            if not judged or rest is None:
                left_out += 1
                print(f"not judged: {beside}: {test['name']}")
                continue
            bursts = [(d, *burst) for d in judged for burst in judge.bursts(d)]
            for burst in list(bursts):
                for expected in rest:
                    if fits(expected, burst):
                        rest.remove(expected)
                        bursts.remove(burst)
                        break
            if rest or bursts:
                failed += 1
                shown = [(d.get("title"), *b) for d, *b in bursts]
                print(f"FAILED: {beside}: {test['name']}\n  missing {rest}\n  too many {shown}")
            else:
                passed += 1
    print(f"{passed} passed, {failed} failed, {left_out} not judged")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
