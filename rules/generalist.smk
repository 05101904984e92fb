# Requires: trained policies of the sheet's clips. Gives: results/generalist/{name}, one image policy over all clips.


ruleorder: collect_code > collect_demonstrations


rule generalist:
    """Target: the behaviour-cloned image policy and its evaluation (paper, section 4.2)."""
    input:
        "<generalist>/eval.json",
        "<generalist>/eval.png",
    localrule: True


rule lerobot:
    """Target: one of LeRobot's own policies (ACT, diffusion) from the same demonstrations, and its evaluation."""
    input:
        "<generalist>/lerobot.json",
        "<generalist>/lerobot.png",
    localrule: True


rule train_lerobot:
    """LeRobot's own training program over the demonstrations of all training clips."""
    input:
        trajectories=learnt,
    output:
        checkpoint=directory("<generalist>/lerobot"),
        provenance="<generalist>/train_lerobot.provenance.json",
    log:
        "logs/generalist/train_lerobot.log",
    conda:
        "../envs/lerobot.yaml"
    params:
        **config["generalist"]["lerobot"],
        seed=config["generalist"]["seed"],
        code=code_digest("scripts/train_lerobot.py"),
    script:
        "../scripts/train_lerobot.py"


rule evaluate_lerobot:
    """Judge LeRobot's policy in every clip's scene, in MuJoCo: its environment holds no other engine."""
    input:
        checkpoint="<generalist>/lerobot",
        scenes=finished("results/videos/{video}/scene.json"),
        tasks=finished("results/videos/{video}/{variant}/task/task.py"),
    output:
        eval_json="<generalist>/lerobot.json",
        figure="<generalist>/lerobot.png",
        provenance="<generalist>/evaluate_lerobot.provenance.json",
    log:
        "logs/generalist/evaluate_lerobot.log",
    conda:
        "../envs/lerobot.yaml"
    params:
        episodes=config["generalist"]["evaluation_episodes"],
        splits=SPLITS,
        simulation={**config["simulation"], "engine": engines.MUJOCO},
        sandbox=SANDBOX,
        code=code_digest(
            "scripts/evaluate_lerobot.py",
            engines.module({"engine": engines.MUJOCO}),
        ),
    script:
        "../scripts/evaluate_lerobot.py"


rule collect_demonstrations:
    """Judged successes for imitation, as the imitation preset wants them."""
    input:
        scene="<clip>/scene.json",
        task="<task>/task/task.py",
        policy="<task>/policy/policy.safetensors",
    output:
        trajectories=directory("<task>/demonstrations"),
        provenance="<task>/collect_demonstrations.provenance.json",
    log:
        "logs/{video}/{variant}/collect_demonstrations.log",
    conda:
        judging_environment
    resources:
        gpu=judging_gpus,
    params:
        collection=setting("generalist", "preset", "episodes"),
        simulation=setting("simulation"),
        sandbox=SANDBOX,
        code=judging_code("scripts/collect.py"),
    script:
        "../scripts/collect.py"


use rule collect_demonstrations as collect_varied with:
    output:
        trajectories=directory("<task>/demonstrations_varied"),
        provenance="<task>/collect_varied.provenance.json",
    log:
        "logs/{video}/{variant}/collect_varied.log",
    params:
        collection=setting("generalist", "preset", "episodes"),
        simulation=setting("simulation"),
        randomise=config["generalist"]["transfer"]["randomise"],
        sandbox=SANDBOX,
        code=judging_code("scripts/collect.py"),


rule collect_code:
    """Judged successes of written programs (Code-as-Policies), likewise."""
    input:
        scene="<clip>/scene.json",
        task=shared_task,
    output:
        programs=directory("<by_code>/programs"),
        trajectories=directory("<by_code>/demonstrations"),
        provenance="<by_code>/collect_code.provenance.json",
    log:
        "logs/{video}/{variant}/collect_code.log",
    conda:
        judging_environment
    resources:
        gpu=judging_gpus,
    params:
        author=author,
        collection=setting("generalist", "preset", "episodes"),
        simulation=setting("simulation"),
        sandbox=SANDBOX,
        code=judging_code("scripts/collect_code.py"),
    script:
        "../scripts/collect_code.py"


rule train_bc:
    """Behaviour cloning from the images of all clips' demonstrations, and an image-blind copy of it."""
    input:
        trajectories=learnt,
    output:
        policy="<generalist>/policy.safetensors",
        blind="<generalist>/blind.safetensors",
        log_json="<generalist>/log.json",
        provenance="<generalist>/train_bc.provenance.json",
    log:
        "logs/generalist/train_bc.log",
    conda:
        imitation_environment()
    params:
        preset=config["generalist"]["preset"],
        weights=config["generalist"]["weights"],
        hardware=config["generalist"]["hardware"],
        seed=config["generalist"]["seed"],
        code=code_digest("scripts/train_bc.py"),
    script:
        "../scripts/train_bc.py"


rule evaluate_bc:
    """Judge the image policy and its blind copy in every clip's scene."""
    input:
        policy="<generalist>/policy.safetensors",
        blind="<generalist>/blind.safetensors",
        scenes=finished("results/videos/{video}/scene.json"),
        tasks=finished("results/videos/{video}/{variant}/task/task.py"),
    output:
        eval_json="<generalist>/eval.json",
        figure="<generalist>/eval.png",
        provenance="<generalist>/evaluate_bc.provenance.json",
    log:
        "logs/generalist/evaluate_bc.log",
    conda:
        imitation_environment()
    resources:
        gpu=engines.gpus(engines.judging(config["simulation"])),
    params:
        episodes=config["generalist"]["evaluation_episodes"],
        splits=SPLITS,
        simulation=config["simulation"],
        sandbox=SANDBOX,
        code=code_digest(
            "scripts/evaluate_bc.py",
            engines.module(engines.judging(config["simulation"])),
        ),
    script:
        "../scripts/evaluate_bc.py"
