# Video2Policy: an RGB clip of a person handling objects -> scene -> task -> reward -> policy -> report.
# Results lie under results/: one folder per clip in results/videos/, tables in results/tables/,
# the report in results/report.html. Every knob is in config.yaml. docs/architecture.md draws the DAG.
import sys
from importlib.util import find_spec
from pathlib import Path

from snakemake.utils import min_version

sys.path.insert(
    0, workflow.basedir
)  # the package is used from where it lies, here and in every job

from video2policy.config import complaint
from video2policy.scheduling import lift_default_limit

min_version("9.20")


configfile: "config.yaml"


if not workflow.deployment_settings.deployment_method and find_spec("mujoco") is None:
    sys.exit(
        "the jobs would have no environments, for no profile was found: correct what"
        " --workflow-profile names, or give --software-deployment-method conda"
    )

if wrong := complaint(config, Path(workflow.basedir, "schemas/config.schema.yaml")):
    sys.exit(wrong)


include: "rules/common.smk"
include: "rules/perceive.smk"
include: "rules/scene.smk"
include: "rules/author.smk"
include: "rules/reward.smk"
include: "rules/policy.smk"
include: "rules/baselines.smk"
include: "rules/generalist.smk"
include: "rules/unseen.smk"
include: "rules/report.smk"
include: "rules/tables.smk"
include: "rules/verify.smk"
include: "rules/bundle.smk"


WATCH = Watch(
    {row.video: row.caption for row in ROWS.values()}, Path("results/live.html")
)


onstart:
    lift_default_limit(workflow.scheduler)
    WATCH.start(workflow.dag, logger, workflow.output_settings.quiet or ())


onsuccess:
    WATCH.stop("finished")


onerror:
    WATCH.stop("ended with failed jobs")


rule all:
    """A judged policy for every clip that passes the gates, and the report on all of them."""
    default_target: True
    input:
        "results/report.html",
        "results/tables/summary.md",
    localrule: True
