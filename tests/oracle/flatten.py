"""Records to flat columns, the only shape that pySigma's SQLite backend knows.

A column is a dotted path, as rules write it. Objects and arrays on the way are entered. What SQL
cannot say is told apart: a path that leads to several values (an array of more than one element)
has no one value to put into a column, so it is listed as `several`, and whoever compares leaves
that rule out for that record.
"""

SEVERAL = object()


def values(node, segments):
    """All values at a path, arrays entered. An object stands for itself as '{}': it exists."""
    if isinstance(node, list):
        found = []
        for element in node:
            found.extend(values(element, segments))
        return found
    if not segments:
        return [node]
    if not isinstance(node, dict):
        return []
    # A member whose own name holds dots wins over the path through objects.
    for cut in range(len(segments), 0, -1):
        name = ".".join(segments[:cut])
        if name in node:
            return values(node[name], segments[cut:])
    return []


def column(record, path):
    """The value for a column: None where there is none, SEVERAL where one is not enough."""
    found = [v for v in values(record, path.split(".")) if v is not None]
    if not found:
        return None
    if len(found) > 1:
        return SEVERAL
    (value,) = found
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return "{}"
    return value
