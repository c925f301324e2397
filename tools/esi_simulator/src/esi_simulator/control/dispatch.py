from collections.abc import Callable, Mapping
from typing import Any

import orjson

from esi_simulator.control.truth import Truth
from esi_simulator.errors import EsiError, not_found
from esi_simulator.exchange import Document, Reply, Request, to_json

PREFIX = "_simulator"

Wish = dict[str, Any]
Sight = Callable[[], Any]
Action = Callable[[Wish], Any]


class Control:
    """Every control route; they are never counted, delayed or made to fail. Bodies are JSON."""

    def __init__(self, truth: Truth, sights: Mapping[str, Sight], actions: Mapping[str, Action]) -> None:
        self._truth = truth
        self._sights = sights
        self._actions = actions

    def answer(self, request: Request) -> Reply:
        """Do what is asked and say what came of it; 400 names what is wrong with a wish, 404 what there is not."""
        try:
            return Reply(200, Document(to_json(self._do(request))))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise EsiError(400, f"Unusable request: {error!r}") from error

    def _do(self, request: Request) -> Any:
        subject, *rest = request.parts[1:] or ("",)
        if request.method == "GET" and subject == "truth" and len(rest) == 1:
            return self._truth.of(int(rest[0]), request)
        if request.method == "GET" and not rest and subject in self._sights:
            return self._sights[subject]()
        if request.method == "POST" and not rest and subject in self._actions:
            return self._actions[subject](orjson.loads(request.body or b"{}"))
        raise not_found(f"Control route {request.method} /{'/'.join(request.parts)}")
