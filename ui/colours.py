"""One colour per channel, the same on every page and every day, told apart by colour-blind eyes and on both themes.

The channels of the product's rules have a place of their own in the palette; any other name is given one by a digest of
its letters. Two channels may so share a colour: a chart never says by colour alone what it does not also say in text.
Palette: Okabe and Ito (2008), "Color Universal Design", without black and yellow, which vanish on one of the themes;
olive and purple of Paul Tol's "muted" scheme; and two that lie far from all of these for every kind of eye.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import Final

PALETTE: Final = (
    "#0072b2",  # blue
    "#e69f00",  # orange
    "#009e73",  # green
    "#cc79a7",  # pink
    "#56b4e9",  # light blue
    "#d55e00",  # vermilion
    "#999933",  # olive
    "#aa4499",  # purple
    "#c81e46",  # crimson
    "#6a4df5",  # violet
)
GREY: Final = "#8a93a0"
_PLACES: Final = (
    "Paid Search",
    "Affiliates",
    "Email",
    "Paid Social",
    "Organic Search",
    "Display",
    "Referral",
    "Organic Social",
    "SMS",
    "Direct",
)
_FIXED: Final = dict(zip(_PLACES, PALETTE, strict=True)) | {"unattributed": GREY}


def channel_colour(channel: str) -> str:
    """``#rrggbb`` of a channel."""
    found = _FIXED.get(channel)
    if found is None:
        digest = blake2b(channel.casefold().encode(), digest_size=4).digest()
        found = PALETTE[int.from_bytes(digest) % len(PALETTE)]
    return found


#: Models keep a colour of their own, by their place in the list of the API.
def model_colour(place: int) -> str:
    """``#rrggbb`` of the model at this place."""
    return PALETTE[place % len(PALETTE)]
