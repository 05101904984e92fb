# Requires: a judged policy; or a bundle from elsewhere, which the config names. Gives: the bundle; its replay.


rule page:
    """One clip's page, of one variant, for its bundle."""
    input:
        outcomes="<task>/outcome.json",
    output:
        page=directory("<task>/page"),
        provenance="<task>/page.provenance.json",
    log:
        "logs/{video}/{variant}/page.log",
    conda:
        "../envs/embedded.yaml"
    params:
        row=lambda wc: ROWS[wc.video].to_dict(),
        variant=lambda wc: wc.variant,
        clip_pixels=config["report"]["clip_pixels"],
        code=code_digest("scripts/draw.py"),
    script:
        "../scripts/draw.py"


rule bundle:
    """One clip's code, prompts, policy, page and provenance in one archive (RO-Crate)."""
    input:
        outcome="<task>/outcome.json",
        page="<task>/page",
        records=judgement_records,
    output:
        bundle="results/bundles/{video}.{variant}.zip",
        provenance="results/bundles/{video}.{variant}.provenance.json",
    log:
        "logs/{video}/{variant}/bundle.log",
    conda:
        "../envs/bundle.yaml"
    params:
        clip=lambda wc: f"results/videos/{wc.video}",
        variant=lambda wc: wc.variant,
        clip_pixels=config["report"]["clip_pixels"],
        code=code_digest("scripts/bundle.py"),
    script:
        "../scripts/bundle.py"


rule replay:
    """Target: judge the policies of the bundle that `--config replay=FILE` names again, in the sandbox."""
    input:
        bundle=bundle_to_replay,
    output:
        replayed="<replay>/replay.json",
        provenance="<replay>/replay.provenance.json",
    log:
        "logs/replay.log",
    conda:
        "../envs/embedded.yaml"
    params:
        sandbox="required",
        code=code_digest("scripts/replay.py"),
    script:
        "../scripts/replay.py"
