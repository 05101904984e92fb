# Requires: config. Gives: ROWS (the sample sheet), VARIANTS, and the input functions that several files share.
import functools
import json
from types import SimpleNamespace

from snakemake.exceptions import WorkflowError

from video2policy import models, paper
from video2policy.author.wanting import wanting
from video2policy.files import truth_files
from video2policy.live import Watch
from video2policy.perceive.verdict import Unavailable
from video2policy.reach import code_digest
from video2policy.sheet import SheetError, ids_of, read_sheet
from video2policy.sim import engines
from video2policy.workflow import (
    as_list,
    author_params,
    curriculum_stages,
    merged_config,
    schedule,
    search_budget,
)


class Rows(dict):
    """The sheet's rows by their clips' ids."""

    def __missing__(self, video):
        raise WorkflowError(
            f'no clip "{video}" in {config["videos"]}, or ids, templates or limit leave it out'
        )


try:
    ROWS = Rows(
        (row.video, row)
        for row in read_sheet(
            config["videos"],
            ids=as_list(config["ids"]),
            templates=as_list(config["templates"]),
            limit=int(config["limit"]),
        )
    )
except SheetError as error:
    sys.exit(str(error))


@functools.cache
def settings(variant):
    """The config as a variant sees it: the same object for all its jobs, of which there may be thousands."""
    return merged_config(config, variant)


VARIANTS = list(config["variants"])
COMPARED = [*config["comparisons"], *VARIANTS, paper.V2P]
SANDBOX = config["sandbox"] or "off"  # YAML reads a bare off as false


@functools.cache
def all_ids():
    """The clips of the whole sheet, also those that the config's filters leave out."""
    return ids_of(config["videos"])


try:
    STAGES = {
        variant: curriculum_stages(settings(variant)["author"], all_ids)
        for variant in COMPARED
    }
except ValueError as error:
    sys.exit(str(error))

for variant in VARIANTS:
    told = settings(variant)["author"]
    if told["name"] != "grammar" and (lacking := wanting(told)):
        sys.exit(lacking)

PROMPTS = code_digest(
    *[
        str(path.relative_to(workflow.basedir))
        for path in sorted(Path(workflow.basedir, "prompts").rglob("*.*"))
    ]
)

try:
    models.check_licences(config["perception"])
except Unavailable as error:
    sys.exit(str(error))

models.stay_offline(config["perception"])

BY_CODE = [
    variant for variant in COMPARED if settings(variant)["author"]["writes"] == "policy"
]

TRANSFERRED = ["rgb", "mask", "rgb_varied", "mask_varied"]
SPLITS = {row.video: row.split or "train" for row in ROWS.values()}
CLONE_JUDGING = code_digest(
    "scripts/judge_clones.py", engines.module(engines.judging(config["simulation"]))
)


pathvars:
    clip="results/videos/{video}",
    task="<clip>/{variant}",
    by_code=f"<clip>/{{variant,{'|'.join(BY_CODE) or '(?!)'}}}",
    round="<task>/reward/{iter}",
    generalist=f"results/generalist/{config['generalist']['name']}",
    replay=f"results/replays/{Path(config['replay']).stem or 'none'}",


wildcard_constraints:
    video=r"[a-z0-9_]+",
    obj=r"[a-z0-9_]+",
    variant=r"[a-z0-9_]+",
    iter=r"\d+",
    sample=r"\d+",


def row(*names):
    """A param function: these fields of the clip's row in the sample sheet."""
    return lambda wc: {name: getattr(ROWS[wc.video], name) for name in names}


def accepted(wc):
    """The gates that the clip's row lets pass whatever they say."""
    return list(ROWS[wc.video].accept)


def given_masks(wc):
    """The masks that the sheet gives for the job's object, or for all objects of its clip."""
    masks = ROWS[wc.video].masks
    return [path for name, path in masks.items() if name == getattr(wc, "obj", name)]


def given_mesh(wc):
    """The mesh that the sheet gives for the object, if any."""
    return [
        path
        for key, path in ROWS[wc.video].shapes.get(wc.obj, {}).items()
        if key == "mesh"
    ]


def proportions(wc):
    """The object's three sides over the longest, where the sheet gives all three."""
    sides = ROWS[wc.video].sizes.get(wc.obj)
    return (
        [round(side / max(sides), 4) for side in sides]
        if isinstance(sides, list)
        else None
    )


def setting(block, *names):
    """A param function: a block of the config, or these of its values, as the job's variant sees it."""

    def values(wc):
        whole = settings(wc.variant)[block]
        return {name: whole[name] for name in names} if names else whole

    return values


def training(*unread):
    """A param function: the training block without what the job does not read, and what decides no result."""
    return lambda wc: {
        name: value
        for name, value in setting("training")(wc).items()
        if name not in (*unread, "timeout")
    }


def engine_environment(wc):
    """The environment of the engine that the job's variant trains in."""
    return f"../envs/{engines.environment(setting('simulation')(wc))}"


def engine_code(script):
    """A param function: the digest of a script that trains, with the variant's engine."""
    return lambda wc: code_digest(script, engines.module(setting("simulation")(wc)))


def judging_environment(wc):
    """The environment of the engine that the job's variant is judged in."""
    return f"../envs/{engines.environment(engines.judging(setting('simulation')(wc)))}"


def engine_gpus(wc):
    """GPUs for a job that steps the engine of training."""
    return engines.gpus(setting("simulation")(wc))


def judging_code(script):
    """A param function: the digest of a script that judges or films, with the engine that it does so in."""
    return lambda wc: code_digest(
        script, engines.module(engines.judging(setting("simulation")(wc)))
    )


def judging_gpus(wc):
    """GPUs for a job that steps the engine of judging."""
    return engines.gpus(engines.judging(setting("simulation")(wc)))


def imitation_environment():
    """Of the image policy: ResNet18 comes through transformers, what else there is with the judging engine."""
    resnet = config["generalist"]["preset"].startswith("paper")
    judging = engines.environment(engines.judging(config["simulation"]))
    return f"../envs/{'resnet.yaml' if resnet else judging}"


def per_object(pattern):
    """An input function: the file for every object of the clip."""
    return lambda wc: [
        f"results/videos/{wc.video}/{pattern.format(obj=name)}"
        for name in ROWS[wc.video].objects
    ]


def hands_if_wanted(wc):
    """The clip's hands, where an object's size is open and nobody switched them off."""
    open_sizes = set(ROWS[wc.video].objects) - set(ROWS[wc.video].sizes)
    wanted = open_sizes and config["perception"]["hands"] != "none"
    return f"results/videos/{wc.video}/hands.json" if wanted else []


def detector(wc):
    """The packaged object detector's files, where set-up could fetch them; nothing else."""
    return [
        str(p)
        for p in sorted(Path(workflow.basedir, ".models/coco").glob("centernet.*"))
    ]


def every_gate(wc):
    """The verdicts of all stages of a clip, in the order in which they were taken."""
    folder = f"results/videos/{wc.video}"
    objects = ROWS[wc.video].objects
    return [
        *[f"{folder}/{stage}.verdict.json" for stage in ("frames", "ground")],
        *[f"{folder}/masks/{obj}.verdict.json" for obj in objects],
        f"{folder}/depth.verdict.json",
        *[
            f"{folder}/objects/{obj}/{stage}.verdict.json"
            for stage in ("reconstruct", "scale", "track", "collide")
            for obj in objects
        ],
    ]


def passed(video):
    """Whether the clip passed every gate; asks for its scene where that is not known yet."""
    with checkpoints.scene.get(video=video).output.scene.open() as file:
        return json.load(file)["passed"]


def if_passed(name):
    """An input function: this file of the clip's variant, or nothing for a rejected clip."""
    return lambda wc: (
        f"results/videos/{wc.video}/{wc.variant}/{name}" if passed(wc.video) else []
    )


def trajectories_if_trained(wc):
    """The judged successes of a policy; what acts by code keeps none."""
    return [] if wc.variant in BY_CODE else if_passed("trajectories")(wc)


def finished(pattern, only=lambda video: True):
    """An input function: this file, under the first variant, of every clip that passed its gates.

    `only`: of those of them for which this is so.
    """
    return lambda wc: [
        pattern.format(video=video, variant=VARIANTS[0])
        for video in ROWS
        if passed(video) and only(video)
    ]


def demonstrated(folder, most=None):
    """This folder of the training clips that passed their gates, of the first so many where it says `most`."""
    videos = [video for video, row in ROWS.items() if row.split in (None, "train")]
    return [f"results/videos/{video}/{folder}" for video in videos if passed(video)][
        :most
    ]


def learnt(wc):
    """The demonstrations of the training clips; of the first so many, for a sample."""
    most = int(wc.sample) if hasattr(wc, "sample") else None
    return demonstrated(f"{VARIANTS[0]}/demonstrations", most)


def learnt_from_code(wc):
    """The demonstrations of written programs, in the scenes of as many clips as the image policy learnt from."""
    return demonstrated(
        f"{paper.CODE}/demonstrations", max(config["generalist"]["scaling"])
    )


def learnt_for_transfer(wc):
    """The demonstrations of as many clips, randomised or not."""
    kind = "_varied" if wc.variant.endswith("_varied") else ""
    return demonstrated(
        f"{VARIANTS[0]}/demonstrations{kind}", max(config["generalist"]["scaling"])
    )


def transfer_preset(wc):
    """A param function: the imitation preset of one of `TRANSFERRED`."""
    return config["generalist"]["transfer"][wc.variant.removesuffix("_varied")]


def tested(pattern):
    """An input function: this file of every unseen clip that passed its gates; of all clips without a split."""
    unseen = [video for video, split in SPLITS.items() if split.startswith("unseen")]
    return lambda wc: [
        f"results/videos/{video}/{pattern.format(variant=VARIANTS[0])}"
        for video in unseen or ROWS
        if passed(video)
    ]


def exported(wc):
    """The trajectories of every clip that passed its gates, in the other formats that the config names."""
    return [
        f"results/videos/{video}/{VARIANTS[0]}/trajectories.{form}"
        for video in ROWS
        if passed(video)
        for form in config["trajectories"]["formats"]
    ]


def candidates(wc):
    """All candidates for the task's code."""
    return [
        f"results/videos/{wc.video}/{wc.variant}/task/candidate_{sample}.py"
        for sample in range(setting("author")(wc)["candidates"])
    ]


def author(wc):
    """A param function: what of the author's settings decides what it writes."""
    return author_params(setting("author")(wc), PROMPTS)


def sent_frames(wc):
    """The clip's frames, where they go to a language model."""
    told = setting("author")(wc)
    sent = told["name"] != "grammar" and told["send_frames"]
    return {"frames": f"results/videos/{wc.video}/frames"} if sent else {}


def stage_examples(wc):
    """The examples of the clip's stage in the curriculum; the first stage has only the project's own."""
    stage = STAGES[wc.variant].get(wc.video, 0)
    wanted = stage and setting("author")(wc)["name"] != "grammar"
    return {"examples": f"results/examples/{wc.variant}/{stage}"} if wanted else {}


def earlier_clips(wc):
    """Scene, task and best reward of every clip in earlier stages of the curriculum that passed its gates."""
    videos = [
        video
        for video, stage in STAGES[wc.variant].items()
        if stage < int(wc.iter) and video in ROWS and passed(video)
    ]
    clips = [SimpleNamespace(video=video, variant=wc.variant) for video in videos]
    return {
        "scenes": [f"results/videos/{video}/scene.json" for video in videos],
        "tasks": [
            f"results/videos/{video}/{wc.variant}/task/task.py" for video in videos
        ],
        "bests": [last_best(clip) for clip in clips],
    }


def round_of(wc):
    """The job's round of reward search."""
    return schedule(setting("reward")(wc), setting("training")(wc)["max_steps"])[
        int(wc.iter)
    ]


def next_members(wc):
    """How many trainings of the round go on in the next one."""
    rounds = schedule(setting("reward")(wc), setting("training")(wc)["max_steps"])
    return rounds[int(wc.iter) + 1].going_on if int(wc.iter) + 1 < len(rounds) else 0


def round_training(wc):
    """A param function: how the round trains."""
    return {**training("legs")(wc), "max_steps": round_of(wc).steps}


def author_setting(name):
    """A param function: one value of the author's settings."""
    return lambda wc: setting("author")(wc)[name]


def borrowed_reset(wc):
    """The task whose reset function the variant takes, if it does."""
    variant = setting("author")(wc)["reset"]
    return {"reset": f"<clip>/{variant}/task/task.py"} if variant else {}


def shared_task(wc):
    """The task in whose episodes written programs act: that of the variant compared with, or as configured."""
    variant = setting("author")(wc)["reset"] or paper.V2P
    return f"results/videos/{wc.video}/{variant}/task/task.py"


def previous_best(wc):
    """The best of the rounds before; the first round starts from the task alone."""
    k = int(wc.iter)
    folder = f"results/videos/{wc.video}/{wc.variant}/reward/{k - 1}"
    return (
        {}
        if k == 0
        else {"previous": f"{folder}/best", "feedback": f"{folder}/feedback.md"}
    )


def skill_if_taught(wc):
    """The policy that trainings start from, where the family has one."""
    wanted = setting("training")(wc)["start"] == "skill"
    return (
        {"skill": "<task>/task/skill.safetensors"}
        if wanted and ROWS[wc.video].is_taught
        else {}
    )


def only_best(wc):
    """The best of the rounds before, without its feedback."""
    return {k: v for k, v in previous_best(wc).items() if k == "previous"}


def samples_of_round(name):
    """An input function: this file of every sample of the round."""
    return lambda wc: [
        f"results/videos/{wc.video}/{wc.variant}/reward/{wc.iter}/{sample}/{name}"
        for sample in range(round_of(wc).samples)
    ]


def last_best(wc):
    """The search's result: the best after its last round."""
    k = setting("reward")(wc)["iterations"] - 1
    return f"results/videos/{wc.video}/{wc.variant}/reward/{k}/best"


def of_every_clip(of_one):
    """An input function: what an input function gives for a clip, for all clips."""
    return lambda wc: [
        path for video in ROWS for path in of_one(SimpleNamespace(video=video))
    ]


def judgement_records(wc):
    """The records of the jobs that a clip's judgement rests on, its own first; none for a rejected clip."""
    folder = f"results/videos/{wc.video}/{wc.variant}"
    names = ("policy/evaluate", "policy/train_policy", "task/pick_task")
    return (
        [f"{folder}/{name}.provenance.json" for name in names]
        if passed(wc.video)
        else []
    )


def bundle_to_replay(wc):
    """The bundle that the config names."""
    return config["replay"] or sys.exit(
        "replay: name the bundle to judge again (snakemake replay --config replay=FILE)"
    )


def truth(wc):
    """The truth about the clip: an npz of the clip's name, which rendered clips have."""
    paths = truth_files(ROWS[wc.video].clip)
    if paths[0].parts[:2] == ("results", "demo"):
        return [str(paths[0])]
    return [str(path) for path in paths if path.exists()][:1]


def with_truth(pattern):
    """An input function: this file of every finished clip whose truth is known."""
    return finished(pattern, lambda video: truth(SimpleNamespace(video=video)))


def compared(variants):
    """An input function: the judgement of every clip that passed its gates, under these variants."""
    return lambda wc: [
        f"results/videos/{video}/{variant}/policy/eval.json"
        for video in ROWS
        if passed(video)
        for variant in variants
    ]


def judged_rounds(variants):
    """An input function: the judgement of every round of reward search, likewise."""
    return lambda wc: [
        f"results/videos/{video}/{variant}/reward/{k}/judged.json"
        for video in ROWS
        if passed(video)
        for variant in variants
        if variant not in BY_CODE
        for k in range(settings(variant)["reward"]["iterations"])
    ]


def budgets(variants):
    """What each variant may spend: environment steps of its search, and its judged episodes."""
    return {variant: search_budget(settings(variant)) for variant in variants}


def hallucinated(wc):
    """The pick and every trained candidate of table 8; only where a language model writes."""
    told = settings(paper.HALLUCINATING)["author"]
    if told["name"] == "grammar":
        raise WorkflowError(
            "table8 counts programs of a language model that do not run: set author.name to llm or replay"
            " (docs/llm.md); the grammar's always run"
        )
    folders = [
        f"results/videos/{video}/{paper.HALLUCINATING}/task"
        for video in ROWS
        if passed(video)
    ]
    return {
        "picks": [f"{folder}/pick.json" for folder in folders],
        "searches": [
            f"{folder}/candidate_{sample}/search.json"
            for folder in folders
            for sample in range(told["candidates"])
        ],
    }
