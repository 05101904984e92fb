"""How fast the environment is beside robosuite and ManiSkill3, per CPU-second: `python -m bench.peers`.

Each peer runs as its users run it, one environment and random actions, in a Python environment of its own
(bench/envs/, built at first use). Ours is the whole environment on one thread, resets included. The runs
take turns, and the medians of what they make in a second of processor time (all threads counted) are
compared: not like for like, since the peers are bound by Python and step their physics more finely, but what
a user meets.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch

from bench.reference import reference_environment

ROOT = Path(__file__).resolve().parent.parent
HOME = ROOT / ".snakemake" / "peers"
PEERS = {"robosuite": "robosuite Lift", "maniskill": "ManiSkill3 PickCube"}
GOALS = {("box", "robosuite"): 100, ("box", "maniskill"): 60, ("mug", "maniskill"): 40}
"""How many times as fast ours has to be; the mug is a mesh of eight pieces."""


def build(peer: str) -> Path:
    """The Python of the peer's environment."""
    prefix = HOME / peer
    if not prefix.is_dir():
        print(f"building {prefix.relative_to(ROOT)} ...", file=sys.stderr, flush=True)
        conda = [sys.executable, str(ROOT / "tools" / "conda" / "bin" / "conda")]
        file = ROOT / "bench" / "envs" / f"{peer}.yaml"
        command = [*conda, "env", "create", "--file", str(file), "--prefix", str(prefix)]
        subprocess.run(command, check=True)
    return prefix / "bin" / "python"


def theirs(peer: str, steps: int) -> float:
    """Control steps per CPU-second of a peer."""
    script = ROOT / "bench" / f"peer_{peer}.py"
    alone = {**os.environ, "OMP_NUM_THREADS": "1"}
    alone.pop("PYTHONPATH", None)
    run = subprocess.run(
        [str(build(peer)), str(script), str(steps)], env=alone, capture_output=True, text=True, check=False
    )
    lines = [line for line in run.stdout.splitlines() if line.startswith("steps/s ")]
    if run.returncode or not lines:
        sys.exit(f"bench.peers: {PEERS[peer]} does not run here:\n{run.stderr.strip()[-1000:]}")
    return float(lines[0].split()[1])


def ours(kind: str, n_envs: int, steps: int) -> float:
    """Control steps per CPU-second of lifting one object with the Panda's hand."""
    with tempfile.TemporaryDirectory() as folder:
        env = reference_environment(Path(folder), "lift", kind, "panda", n_envs, threads=1)
        env.reset()
        env.stagger(0)
        generator = torch.Generator().manual_seed(0)
        for step in range(-5, steps):
            if step == 0:
                begin = time.process_time()
            env.step(2 * torch.rand(n_envs, 7, generator=generator) - 1)
        return n_envs * steps / (time.process_time() - begin)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--peers", nargs="*", default=list(PEERS), choices=list(PEERS))
    parser.add_argument("--kinds", nargs="+", default=["box", "mug"], help="objects of tests/scenes.py")
    parser.add_argument("--envs", type=int, default=128)
    parser.add_argument("--steps", type=int, default=200, help="of each environment and turn")
    parser.add_argument("--peer-steps", type=int, default=400)
    parser.add_argument("--turns", type=int, default=5)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    peers: dict[str, list[float]] = {peer: [] for peer in arguments.peers}
    own: dict[str, list[float]] = {kind: [] for kind in arguments.kinds}
    for _ in range(arguments.turns):
        for peer, rates in peers.items():
            rates.append(theirs(peer, arguments.peer_steps))
        for kind, rates in own.items():
            rates.append(ours(kind, arguments.envs, arguments.steps))
    rate = {peer: statistics.median(rates) for peer, rates in peers.items()}
    print("| environment | steps per CPU-second | " + " | ".join(f"x {PEERS[peer]}" for peer in peers) + " |")
    print("|---" * (2 + len(peers)) + "|")
    for peer in peers:
        print(f"| {PEERS[peer]} | {rate[peer]:,.0f} |" + " |" * len(peers))
    slow = []
    for kind, rates in own.items():
        speed = statistics.median(rates)
        times = {peer: speed / rate[peer] for peer in peers}
        slow += [f"{kind} ({peer})" for peer, factor in times.items() if factor < GOALS.get((kind, peer), 0)]
        print(f"| ours, {kind} | {speed:,.0f} | " + " | ".join(f"{times[peer]:.0f}" for peer in peers) + " |")
    wanted = ", ".join(f"{kind} {goal} x {PEERS[peer]}" for (kind, peer), goal in GOALS.items())
    print(f"\nAsked: {wanted}. Below that: {', '.join(slow) or 'none'}.")


if __name__ == "__main__":
    main()
