from datetime import datetime, timedelta
from hashlib import blake2b

_MOST = 2**64


def delay(schedule_id: str, slot: datetime, *, most: timedelta) -> timedelta:
    """How much later than `slot` it is due: from nothing to less than `most`, and always the same for the same slot."""
    if not most:
        return most
    digest = blake2b(f"{schedule_id}/{slot.timestamp():.6f}".encode(), digest_size=8).digest()
    return timedelta(milliseconds=most // timedelta(milliseconds=1) * int.from_bytes(digest) // _MOST)
