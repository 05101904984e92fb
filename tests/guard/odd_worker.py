"""A worker that does what its spec says, well or badly; run by test_process only."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path


def note(pid: int) -> None:
    with Path("pids").open("a") as file:
        file.write(f"{pid}\n")


def main() -> None:
    spec = json.loads(Path(sys.argv[1]).read_text())
    do, result = spec["do"], Path("result.json")
    if do == "echo":
        print("noise\nprogress half way\nprogress done", flush=True)
        result.write_text(json.dumps({"value": spec["value"]}))
    elif do == "environment":
        seen = {
            "environment": dict(os.environ),
            "pid": os.getpid(),
            "session": os.getsid(0),
            "cwd": str(Path.cwd()),
        }
        result.write_text(json.dumps(seen))
    elif do == "raise":
        raise ValueError("on purpose")
    elif do == "exit":
        sys.exit(3)
    elif do == "abort":
        os.abort()
    elif do == "broken":
        result.write_text("{")
    elif do == "unnamed":
        with Path("big").open("wb") as file:
            Path("big").unlink()
            file.write(bytes(2**21))
            file.flush()
            time.sleep(60)
    elif do == "list":
        result.write_text("[]")
    elif do == "symlink":
        result.symlink_to("/etc/hostname")
    elif do == "flood":
        while True:
            sys.stdout.write("x" * 65536)
    elif do == "memory":
        print(len(bytearray(3 * 2**30)))
    elif do == "sleep":
        note(os.getpid())
        time.sleep(60)
    elif do == "spin":
        note(os.getpid())
        while True:
            pass
    elif do == "ignore_signals":
        note(os.getpid())
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        time.sleep(60)
    elif do in ("grandchild", "orphan"):
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
        note(child.pid)
        if do == "grandchild":
            child.wait()
        result.write_text('{"left": 1}')


if __name__ == "__main__":
    main()
