"""Background and scheduled jobs on PostgreSQL: at least once, retried with growing pauses, nothing lost by a kill.

    @job("exchange.retry")
    async def retry(services: Services, payload: dict[str, Any]) -> None: ...

    @every("exchange.sweep", seconds=60)
    async def sweep(services: Services, payload: dict[str, Any]) -> None: ...

    await enqueue(connection, "exchange.retry", {"message": 12}, key="message/12")

`services` is whatever the application gave to its Worker. A job may run twice (a worker can die after the work and
before the tick), so its writes carry keys. Payloads hold ids, never clinical text.
"""

from kangyun.base.jobs.queue import counts, enqueue, enqueue_all, failed, retry_failed
from kangyun.base.jobs.registry import Job, Schedule, every, job, registered, schedules
from kangyun.base.jobs.worker import Worker

__all__ = [
    "Job", "Schedule", "Worker", "counts", "enqueue", "enqueue_all", "every", "failed", "job", "registered", "retry_failed",
    "schedules",
]
