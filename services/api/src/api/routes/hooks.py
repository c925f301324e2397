from fastapi import APIRouter

from api.dependencies import AppParts
from api.schemas.health import HookShown, HooksShown
from common.hooks import FUNCTIONS, Hook, Hooks

router = APIRouter()


@router.get("")
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
