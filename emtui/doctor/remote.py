"""The remote ends of a profile: whether each answers, whom it is, and what its clock says. Nothing secret is sent."""

import asyncio

from emtui.doctor.case import Case
from emtui.doctor.checks import Check
from emtui.errors import EmtuiError
from emtui.profile import Remote

SECTION = "remote"

PATIENCE_S = 5.0
_MOST_SKEW_S = 5.0
# What the console does, and a doctor does not.
_AGAIN = "; it is tried again by itself"


def look_at_remotes(case: Case) -> list[Check]:
    """A line for each remote end, and one for its clock. Blocks."""
    named = (("EM", case.profile.em), ("Grid Node", case.profile.grid))
    remotes = [(name, remote) for name, remote in named if remote is not None]
    if not remotes:
        return []
    return asyncio.run(_ask_all(remotes))


async def _ask_all(remotes: list[tuple[str, Remote]]) -> list[Check]:
    answers = await asyncio.gather(*(_ask(name, remote) for name, remote in remotes))
    return [check for checks in answers for check in checks]


async def _ask(name: str, remote: Remote) -> list[Check]:
    from emtui.client.http.address import Address
    from emtui.client.http.limits import Limits, Wait
    from emtui.client.http.transport import Request, Transport
    from emtui.client.http.vitals import VitalsBook

    book = VitalsBook()
    try:
        address = Address.parse(remote.url, insecure=remote.is_insecure)
        ca_file = str(remote.ca_file) if remote.ca_file is not None else None
        transport = Transport(address, ca_file=ca_file, limits=Limits(connect_s=PATIENCE_S))
        try:
            async with transport.open(Request("GET", "", Wait(PATIENCE_S, PATIENCE_S))) as answer:
                status, date = answer.status, answer.headers.get("date")
                book.learn_date(date, answer.received_at, answer.round_trip_s)
                milliseconds = answer.round_trip_s * 1000
        finally:
            await transport.aclose()
    except EmtuiError as error:
        return [Check(SECTION, name, "fail", error.message, error.remedy.replace(_AGAIN, ""))]
    # Nobody has said that there is something at the bare address: what is not found there is an answer too.
    found = f"{address} answers in {milliseconds:.0f} ms"
    if status >= 500:
        checks = [
            Check(
                SECTION, name, "note", f"{found}, HTTP {status}", "The server fails by itself; tell whoever keeps it."
            )
        ]
    elif address.is_exposed:
        checks = [Check(SECTION, name, "note", f"{found}; everybody on the way can read it", "Use https.")]
    else:
        checks = [Check(SECTION, name, "ok", found)]
    return [*checks, skew_check(name, book.now.skew_s)]


def skew_check(name: str, skew_s: float | None) -> Check:
    """By how much the other clock is ahead of this one; None where it did not tell."""
    line = f"{name}'s clock"
    if skew_s is None:
        return Check(SECTION, line, "ok", "not known: its answer bears no Date, or took too long")
    if abs(skew_s) <= _MOST_SKEW_S:
        return Check(SECTION, line, "ok", f"{skew_s:+.1f} s to this machine's" if skew_s else "as this machine's")
    ahead = "ahead of" if skew_s > 0 else "behind"
    found = f"{abs(skew_s):,.0f} s {ahead} this machine's"
    return Check(SECTION, line, "note", found, "Set the wrong one of the two: a scheduled run starts by the EM's.")
