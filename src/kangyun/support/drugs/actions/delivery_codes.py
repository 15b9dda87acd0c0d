"""The recipient's code: whoever says it takes the medicine, at the counter or at the door; it is kept nowhere."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from kangyun.base.errors import Problem, refuse
from kangyun.base.keys import vault
from kangyun.commons.access import Handle, Transaction, Write
from kangyun.support.drugs.actions.circulation import CHOOSE, of_ones_own
from kangyun.support.drugs.actions.steps import Judge, keep, platform
from kangyun.support.drugs.decisions import circulation
from kangyun.support.drugs.model.circulation import Held
from kangyun.support.drugs.queries.prescriptions import held, sql

_DIGITS = 6


def code_of(found: Held) -> str:
    """The recipient's code, which is kept nowhere; the resident sees it, whoever hands over does not."""
    return f"{vault.blind(f'drugs-code/{found.number}/{found.code_salt}') % 10**_DIGITS:0{_DIGITS}d}"


async def new_code(handle: Handle, number: str) -> Held:
    """A new code for the resident, after wrong ones or a lost telephone."""
    own = platform(handle, CHOOSE)
    await of_ones_own(handle, number)
    done: list[Held] = []

    async def beside(session: Transaction) -> Sequence[Write]:
        found = await held(session.connection, number, lock=True)
        after = replace(found, code_salt=found.code_salt + 1, code_tries=0, version=found.version + 1)
        done.append(await keep(session.connection, after, "new_code", handle.actor))
        return []

    await own.commit([], beside=beside)
    return done[-1]


async def check_code(own: Handle, number: str, code: str, judge: Judge) -> None:
    """Raise Problem: 422 without a code, 403 for a wrong one, 409 after too many. Wrong ones are counted though the rest is refused."""
    if not code.strip():
        raise refuse(422, "required", "drugs.no-code", "Parameters.parameter")
    problem: list[Problem] = []

    async def beside(session: Transaction) -> Sequence[Write]:
        found = await held(session.connection, number, lock=True)
        judge(found)
        if found.code_tries >= circulation.most_tries():
            problem.append(refuse(409, "conflict", "drugs.code-blocked"))
        elif code.strip() != code_of(found):
            await session.connection.execute(sql.count_try, found.resident, number)
            problem.append(refuse(403, "forbidden", "drugs.wrong-code", "Parameters.parameter"))
        return []

    await own.commit([], beside=beside)
    if problem:
        raise problem[0]
