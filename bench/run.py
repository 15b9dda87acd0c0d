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
        "cores; 8 keep-alive clients; fsync on. The floor is the same rows through the bare database driver in the same\n"
        "run. Every request is logged in and judged, and its answer waits until the audit trail is durable. What falls short of what we want is shown as it is."
    ),
    "README.zh-CN.md": (
        "由 `make bench` 测得：10 万居民、100 万条检验结果；客户端、服务器与数据库共用两个核；8 个长连接；fsync 打开。\n"
        "floor 是同一次运行中同样的数据直接经数据库驱动写入或读取的速度。每个请求都已登录并经过授权判断，审计落盘之后才作答。没有达到目标的数字照实写在这里。"
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
