class Arguments(list[object]):
    """The arguments of a statement that is put together: each gets the next placeholder."""

    def place(self, value: object) -> str:
        """Keep `value` and return its placeholder, `$1` for the first."""
        self.append(value)
        return f"${len(self)}"
