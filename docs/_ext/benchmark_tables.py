"""Tables of benchmarks, made from the JSON files in docs/benchmarks.

The directive `benchmark` takes a file and a table of it. Each line of its content is a column of
the page: a key of the rows, a title, and a format, separated by bars:

    ```{benchmark} optima small
    data | data
    skmix: share | skmix | {:.0%}
    ```

Option `where` keeps rows with given values (``sigma=0, set=set12``). With `rows` and `columns`,
keys of the rows, the table is turned: one row and one column per value of those, and each line of
the content (a key and a format) fills a cell. `rename` replaces values (``bsd68-dev: BSD68``).
Below the table stand its command, machine and date.
"""

from benchmark_rows import FOLDER, load, markdown, matches, plain, provenance, turned
from docutils.parsers.rst import directives
from sphinx.util.docutils import SphinxDirective


def pairs(text, separator):
    return dict(
        (part.strip() for part in entry.split(separator, 1))
        for entry in text.split(",")
        if entry.strip()
    )


class Benchmark(SphinxDirective):
    """The directive `benchmark`."""

    required_arguments = 2
    has_content = True
    option_spec = {
        "where": directives.unchanged,
        "rows": directives.unchanged,
        "columns": directives.unchanged,
        "rename": directives.unchanged,
    }

    def run(self):
        """Return the nodes of the table and of its source."""
        name, table_name = self.arguments
        self.env.note_dependency(str(FOLDER / f"{name}.json"))
        table = load(name, table_name)
        conditions = pairs(self.options.get("where", ""), "=")
        names = pairs(self.options.get("rename", ""), ":")
        rows = [
            {key: names.get(value, value) if isinstance(value, str) else value
             for key, value in row.items()}
            for row in table["rows"] if matches(row, conditions)
        ]  # fmt: skip
        if not rows:
            raise self.error(f"no row of {name}.json, {table_name}, has {conditions}")
        lines = [[part.strip() for part in line.split("|")] for line in self.content if line]
        unknown = {line[0] for line in lines} - {key for row in rows for key in row}
        if unknown:
            raise self.error(f"no row of {name}.json, {table_name}, has {unknown}")
        if "rows" in self.options:
            by, across = self.options["rows"], self.options["columns"]
            header, body = turned(rows, by, across, [[*line, "{}"][:2] for line in lines])
        else:
            header, body = plain(rows, [(line + [line[0], "{}"][len(line) - 1 :])[:3]
                                        for line in lines])  # fmt: skip
        text = markdown(header, body) + "\n\n{.measured}\n" + provenance(table) + "\n"
        return self.parse_text_to_nodes(text)


def setup(app):
    """Register the directive."""
    app.add_directive("benchmark", Benchmark)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
