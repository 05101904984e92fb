"""A SLURM of one node on this machine, for tests: as root, without systemd, without an accounting database.

Wants Debian's slurm-wlm and munge. What it starts it ends by process id.
"""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

CONFIGURATION = Path("/etc/slurm")
"""The executor removes SLURM_CONF from jobs' environments: it must lie where SLURM looks for it."""
DAEMONS = ("munged", "slurmctld", "slurmd")

SLURM_CONF = """\
ClusterName=mini
SlurmctldHost={host}(127.0.0.1)
SlurmUser=root
SlurmctldPort=17817
SlurmdPort=17818
AuthType=auth/munge
AuthInfo=socket={folder}/munge/socket
CredType=cred/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
ReturnToService=2
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=1
JobAcctGatherParams=OverMemoryKill
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/filetxt
JobCompLoc={folder}/ended.txt
MinJobAge=600
KillWait=2
SchedulerParameters=batch_sched_delay=0,sched_interval=1,defer_batch
OverTimeLimit=0
GresTypes=gpu
NodeName={host} NodeAddr=127.0.0.1 CPUs={processors} RealMemory=16000 Gres=gpu:1 State=UNKNOWN
PartitionName=cpu Nodes=ALL Default=YES MaxTime=INFINITE State=UP
PartitionName=gpu Nodes=ALL MaxTime=INFINITE State=UP
"""


def lacking() -> str | None:
    """Why no SLURM can be started here; None where it can."""
    absent = [name for name in (*DAEMONS, "sbatch", "squeue") if shutil.which(name) is None]
    if absent:
        return f"no {', '.join(absent)} here: apt-get install slurm-wlm munge"
    if os.geteuid() != 0:
        return "SLURM's daemons want root"
    if (CONFIGURATION / "slurm.conf").exists():
        return f"{CONFIGURATION}/slurm.conf is there: this machine has a SLURM of its own"
    return None


class Node:
    """The running node; `with Node(folder) as node:`.

    Two processors are declared whatever the machine has, so that two jobs run at a time everywhere.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._daemons: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Node:
        for part in ("munge", "state", "spool"):
            (self.folder / part).mkdir(parents=True)
        host = socket.gethostname().split(".")[0]
        texts = {
            "slurm.conf": SLURM_CONF.format(host=host, folder=self.folder, processors=2),
            "gres.conf": "Name=gpu File=/dev/null\n",
            "cgroup.conf": "CgroupPlugin=cgroup/v1\nCgroupAutomount=no\n",
        }
        CONFIGURATION.mkdir(exist_ok=True)
        for name, text in texts.items():
            (self.folder / name).write_text(text)
            (CONFIGURATION / name).unlink(
                missing_ok=True
            )  # of a test that was killed: `lacking` saw no other
            (CONFIGURATION / name).symlink_to(self.folder / name)
        try:
            self._start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def _start(self) -> None:
        munge = self.folder / "munge"
        key = munge / "key"
        key.write_bytes(secrets.token_bytes(128))
        key.chmod(0o600)
        files = {
            "key-file": key,
            "socket": munge / "socket",
            "pid-file": munge / "pid",
            "log-file": munge / "log",
        }
        options = [f"--{name}={path}" for name, path in {**files, "seed-file": munge / "seed"}.items()]
        self._daemon("munged", "--force", "--foreground", *options)
        self._wait("munge's socket", lambda: (munge / "socket").exists())
        self._daemon("slurmctld", "-D", "-c")
        self._daemon("slurmd", "-D", "-c")
        self._wait("an idle node", lambda: self.ask("sinfo", "-h", "-o", "%t", "-p", "cpu").strip() == "idle")

    def _daemon(self, *command: str) -> None:
        with (self.folder / f"{command[0]}.out").open("wb") as output:
            self._daemons.append(subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT))

    def _wait(self, what: str, ready: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 60
        while not ready():
            if time.monotonic() > deadline:
                logs = "".join(path.read_text()[-2000:] for path in self.folder.glob("*.out"))
                raise RuntimeError(f"no {what} after a minute:\n{logs}")
            time.sleep(0.2)

    @staticmethod
    def ask(*command: str) -> str:
        """What one of SLURM's commands prints."""
        return subprocess.run(command, capture_output=True, text=True, timeout=60).stdout

    def ended(self) -> str:
        """SLURM's list of jobs that ended, with their states."""
        path = self.folder / "ended.txt"
        return path.read_text() if path.exists() else ""

    def __exit__(self, *_: object) -> None:
        self.ask("scancel", "--user=root", "--full")
        deadline = time.monotonic() + 20
        while self.ask("squeue", "-h", "-t", "running,completing") and time.monotonic() < deadline:
            time.sleep(0.5)
        for daemon in reversed(self._daemons):
            daemon.terminate()
            try:
                daemon.wait(timeout=10)
            except subprocess.TimeoutExpired:
                daemon.kill()
                daemon.wait()
        for name in ("slurm.conf", "gres.conf", "cgroup.conf"):
            (CONFIGURATION / name).unlink(missing_ok=True)
