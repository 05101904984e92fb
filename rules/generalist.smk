# Requires: trained policies of the sheet's clips. Gives: results/generalist/{name}, one image policy over all clips.


rule generalist:
    """Target: the behaviour-cloned image policy and its evaluation (paper, section 4.2)."""
    input:
        "<generalist>/eval.json",
        "<generalist>/eval.png",
    localrule: True


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


rule train_bc:
    """Behaviour cloning from the images of all clips' demonstrations, and an image-blind copy of it."""
    input:
        trajectories=finished("results/videos/{video}/{variant}/demonstrations"),
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
        simulation=config["simulation"],
        sandbox=SANDBOX,
        code=code_digest(
            "scripts/evaluate_bc.py",
            engines.module(engines.judging(config["simulation"])),
        ),
    script:
        "../scripts/evaluate_bc.py"
