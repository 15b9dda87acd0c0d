"""`make bench`: every benchmark in turn; each prints its own figures, the record store writes the README's table."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
READMES = {"README.md": "## How fast", "README.zh-CN.md": "## 速度"}
INTRODUCTION = {
    "README.md": (
        "Measured by `make bench`: 100,000 residents and 1,000,000 observations; client, server and database share two\n"
        "cores; 8 keep-alive clients; fsync on. Every request is logged in and judged, and its answer waits until its event outlives the\n"
        "process. The worker runs: beside what is measured it finds out who the 100,000 residents are, and rests while requests are answered.\n"
        "The floor is the same rows through the bare database driver in the same run, as many connections, while the platform stands still and\n"
        "leaves it the whole machine. What falls short of what we want is shown as it is: a create is validated, indexed, judged and noted in\n"
        "Python, which costs more than half the floor would leave for it."
    ),
    "README.zh-CN.md": (
        "由 `make bench` 测得：10 万居民、100 万条检验结果；客户端、服务器与数据库共用两个核；8 个长连接；fsync 打开。\n"
        "每个请求都已登录并经过授权判断，审计记录写入本机日志（进程被强行终止也不会丢失）之后才作答。后台任务照常运行：测量的同时它在弄清这 10 万居民各是谁，有人访问时它让路。\n"
        "floor 是同一次运行中同样的数据、同样多的连接直接经数据库驱动写入或读取的速度，其间平台暂停，整台机器都归它。\n"
        "没有达到目标的数字照实写在这里：新建居民要在 Python 中校验、编索引、判断授权并记入审计，所用的时间多于裸驱动留下的那一半。"
    ),
}
QUICK = ("fhirpath.py", "validation.py", "exchange.py", "intake.py", "audit.py")


def main() -> int:
    """Run all benchmarks; the arguments go to the one of the record store."""
    for name in QUICK:
        print(f"\n== {name}", flush=True)
        subprocess.run([sys.executable, HERE / name], check=True)
    print("\n== records.py", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "table.md"
        done = subprocess.run([sys.executable, HERE / "records.py", "--out", out, *sys.argv[1:]], check=False)
        if done.returncode == 0:
            quote(out.read_text())
    return done.returncode


def quote(table: str) -> None:
    """Put the table between the marks of both READMEs."""
    for name, title in READMES.items():
        path = HERE.parent / name
        head, _, rest = path.read_text("utf-8").partition("<!-- bench:begin -->")
        _, _, tail = rest.partition("<!-- bench:end -->")
        middle = f"<!-- bench:begin -->\n{title}\n\n{INTRODUCTION[name]}\n\n{table}<!-- bench:end -->"
        path.write_text(head + middle + tail, "utf-8")


if __name__ == "__main__":
    sys.exit(main())
