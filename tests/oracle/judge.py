"""Runs rules over records with pySigma and its SQLite backend, and says what they mean.

pySigma's answer to a correlation is one row for each satisfied window that ends at a sample. A
burst is what lies in such windows, cut where neighbours are more than a timespan apart.
"""

import datetime
import json
import re
import sqlite3

from sigma.backends.sqlite import sqliteBackend
from sigma.collection import SigmaCollection

import derived
import flatten
import rules

EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)


def event_time(record):
    """`eventTime`, else `@timestamp`, as whole seconds; a fraction is cut off."""
    text = str(record.get("eventTime") or record.get("@timestamp"))
    moment = datetime.datetime.fromisoformat(text[:19].replace(" ", "T") + "+00:00")
    return int((moment - EPOCH).total_seconds())


def event_id(record, place):
    """`eventID`, else the place of the record in the input, from 1."""
    return record.get("eventID") or f"@{place}"


class Judge:
    """One database of records, to which rules are put."""

    def __init__(self, documents, records):
        self.documents = documents
        self.paths = self._paths()
        self.several = {}
        self.times = {}
        self.backend = sqliteBackend(
            event_id_field="eventID",
            timestamp_field="event_at",
            collate_nocase=True,
            fulltext_field="all_text",
        )
        self.database = sqlite3.connect(":memory:")
        self.database.create_function("REGEXP", 2, _regexp, deterministic=True)
        self._load(records)

    def _paths(self):
        """The columns: every field asked for, once (SQLite ignores the case of column names)."""
        by_lower = {}
        for document in self.documents:
            for path in sorted(rules.asked(document)):
                by_lower.setdefault(path.lower(), path)
        by_lower.pop("eventid", None)
        by_lower.pop("", None)  # keywords
        return [path for path in by_lower.values() if not path.startswith("keywords")]

    def _load(self, records):
        columns = ", ".join(f'"{path}" COLLATE NOCASE' for path in self.paths)
        extra = f", {columns}" if columns else ""
        self.database.execute(f'CREATE TABLE logs ("eventID", "event_at", "all_text"{extra})')
        marks = ", ".join("?" * (len(self.paths) + 3))
        for place, record in enumerate(records, 1):
            identity = event_id(record, place)
            time = event_time(record)
            # One event id is one sample, at the smaller of its times.
            self.times[identity] = min(time, self.times.get(identity, time))
            row = []
            for path in self.paths:
                value = _value(record, path)
                if value is flatten.SEVERAL:
                    self.several.setdefault(path.lower(), set()).add(identity)
                    value = None
                row.append(value)
            at = (EPOCH + datetime.timedelta(seconds=time)).strftime("%Y-%m-%d %H:%M:%S")
            text = json.dumps(record, ensure_ascii=False)
            self.database.execute(f"INSERT INTO logs VALUES ({marks})", [identity, at, text, *row])

    def skipped(self, document):
        """Event ids on which SQL has no say: a field of the rule has several values, or unknown."""
        found = set()
        for path in rules.asked(document):
            found |= self.several.get(path.lower(), set())
        return found

    def detections(self):
        """(rule, event ids that match, event ids without a say) of every detection rule."""
        for document in self.documents:
            if "detection" not in document:
                continue
            collection = SigmaCollection.from_dicts([document])
            matched = set()
            for query in self.backend.convert(collection):
                head, rest = query.split("SELECT * FROM", 1)
                rows = self.database.execute(f'{head}SELECT "eventID" FROM{rest}')
                matched.update(row[0] for row in rows)
            skipped = self.skipped(document)
            yield document, sorted(matched - skipped), sorted(skipped)

    def bursts(self, document):
        """(key, first, last, count) of every burst of a correlation, keys as pySigma folds them.

        For a correlation over correlations first and count are None: pySigma counts the leaves.
        """
        span = rules.seconds(document["correlation"]["timespan"])
        nested = self._is_nested(document)
        members = self._with_members(document)
        if any(rules.ours(member) for member in members):
            return
        collection = SigmaCollection.from_dicts(members)
        hot = {}
        # Rules that others refer to give no query, so the last query is this rule's own.
        query = self.backend.convert(collection)[-1]
        for row in self.database.execute(query):
            _, key, end, *_, event_ids, _ = row
            ids = {i.split(":", 1)[-1] if i.startswith("0:") else i for i in json.loads(event_ids)}
            times = hot.setdefault(key, {})
            if nested:
                times[int(end)] = int(end)
            else:
                times.update((i, self.times[i]) for i in ids)
        for key, times in sorted(hot.items()):
            for group in _groups(sorted(times.values()), span):
                first, count = (None, None) if nested else (group[0], len(group))
                yield json.loads(key), first, group[-1], count

    def _named(self, name):
        for document in self.documents:
            if name in (document.get("name"), document.get("id")):
                return document
        raise KeyError(name)

    def has_a_say(self, document):
        """Whether SQL can judge a correlation, given what its rules ask of these records."""
        return not any(self.skipped(member) for member in self._with_members(document))

    def _is_nested(self, document):
        return any("correlation" in self._named(n) for n in document["correlation"]["rules"])

    def _with_members(self, document):
        """The rule and all rules it stands on, members first."""
        found = []
        for name in document["correlation"].get("rules", []):
            member = self._named(name)
            below = self._with_members(member) if "correlation" in member else [member]
            found.extend(m for m in below if m not in found)
        return [*found, document]


def _value(record, path):
    field = derived.FIELDS.get(path)
    if field is None and (path.startswith("floodmark.") or "[" in path):
        return flatten.SEVERAL
    try:
        return field(record) if field else flatten.column(record, path)
    except derived.Unknown:
        return flatten.SEVERAL


def _groups(times, span):
    group = []
    for time in times:
        if group and time - group[-1] > span:
            yield group
            group = []
        group.append(time)
    if group:
        yield group


def _regexp(pattern, text):
    return text is not None and re.search(pattern, str(text)) is not None
