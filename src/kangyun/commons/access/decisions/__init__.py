"""Pure judgements: who may do what, under which condition."""

from kangyun.commons.access.decisions.policy import actor_at, check_example, may_enter, may_touch

__all__ = ["actor_at", "check_example", "may_enter", "may_touch"]
