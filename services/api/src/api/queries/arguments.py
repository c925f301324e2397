import re

_PLACEHOLDER = re.compile(r"\$(\d+)")


class Arguments(list[object]):
    """The arguments of a statement that is put together: each gets the next placeholder."""

    def place(self, value: object) -> str:
        """Keep `value` and return its placeholder, `$1` for the first."""
        self.append(value)
        return f"${len(self)}"

    def planned_anew(self) -> str:
        """A condition that holds, and has a statement planned each time for the values that it is asked with.

        After some questions PostgreSQL keeps a plan for any values if that promises to cost no more. Of a filter that
        few contracts meet and one that most do, it suits one. For any values the count would have to be made; where
        the flag is known to be true nothing is left of it.
        """
        flag = self.place(True)  # noqa: FBT003 - the value of an argument
        return f"({flag}::boolean OR (SELECT count(*) > 0 FROM generate_series(1, 10000000000)))"  # noqa: S608 - a placeholder

    def used_in(self, statement: str) -> tuple[str, list[object]]:
        """The statement with its placeholders numbered anew, and their arguments: those that it does not use fall away.

        PostgreSQL takes no argument that a statement does not mention.
        """
        used = sorted({int(number) for number in _PLACEHOLDER.findall(statement)})
        places = {number: place for place, number in enumerate(used, start=1)}
        renumbered = _PLACEHOLDER.sub(lambda found: f"${places[int(found[1])]}", statement)
        return renumbered, [self[number - 1] for number in used]
