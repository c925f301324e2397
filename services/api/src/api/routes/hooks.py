from fastapi import APIRouter

from api.access import KeyFirst, Requires
from api.dependencies import AppParts
from api.problems import problems
from api.schemas.health import HookShown, HooksShown
from common.hooks import FUNCTIONS, Hook, Hooks
from common.keys.tokens import Scope

router = APIRouter(route_class=KeyFirst)


@router.get("", responses=problems(503), dependencies=[Requires(Scope.OPERATE)])
async def list_hooks(parts: AppParts) -> HooksShown:
    """List the hooks of this instance: what ran, when, and how long it took."""
    return HooksShown(items=[_shown(parts.hooks, hook) for phase in FUNCTIONS for hook in parts.hooks.found[phase]])


def _shown(hooks: Hooks, hook: Hook) -> HookShown:
    ran = next((run for run in reversed(hooks.runs) if run.hook is hook), None)
    return HookShown(
        phase=hook.phase,
        name=hook.name,
        order=hook.order,
        optional=hook.optional,
        ran_at=ran.ran_at if ran else None,
        seconds=ran.seconds if ran else None,
        error=ran.error if ran else None,
    )
