"""Tests in a CSV file: a row for each, in promptfoo's columns."""

from collections.abc import Iterator, Sequence
from typing import Any

from assay.core.delimited import Rows
from assay.playground.promptfoo.node import Node
from assay.playground.promptfoo.tables import CellFault, TableColumns


def read_table(file: Node) -> list[Node]:
    """The tests of the text of a file, in the shape that they have in YAML.

    Their places are the file's name and the line, as `tests.csv:3`.
    """
    rows = Rows([file.value])
    header: Sequence[str] = next(iter(rows), [])
    if not header:
        file.fault("The first row must have the names of the columns.")
        return []
    columns = TableColumns.of(list(enumerate(header)))
    for name, reason in columns.left_out:
        file.refuse(reason, f":{name}")
    return list(_tests(file, rows, columns, len(header)))


def _tests(file: Node, rows: Rows, columns: TableColumns, width: int) -> Iterator[Node]:
    for row in rows:
        node = file.at(f":{rows.line}", None)
        if rows.fault is not None:
            node.fault(f"The row cannot be read: {rows.fault}.")
        elif len(row) != width:
            node.fault(f"The row has {len(row)} cells, and the header {width}.")
        else:
            try:
                node.value = _test(columns, row)
            except CellFault as fault:
                node.fault(f"{fault.message}.", f".{fault.column}")
            else:
                yield node


def _test(columns: TableColumns, row: Sequence[str]) -> dict[str, Any]:
    test: dict[str, Any] = {"vars": {name: row[place] for place, name in columns.variables}}
    parts = {
        "description": columns.description(row),
        "assert": columns.assertions(row),
        "threshold": columns.threshold(row),
        "metadata": columns.metadata(row),
    }
    return test | {name: part for name, part in parts.items() if part not in (None, [], {})}
