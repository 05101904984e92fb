# Requires: scene.json and the picked task. Gives: rounds of reward search; round k starts from the best so far.


rule write_reward:
    """A reward function; from the second round on, a reflection on the best one's feedback."""
    input:
        unpack(previous_best),
        scene="<clip>/scene.json",
        task="<task>/task/task.py",
    output:
        request="<round>/{sample}/request.json",
        reply="<round>/{sample}/reply.json",
        reward="<round>/{sample}/reward.py",
        provenance="<round>/{sample}/write_reward.provenance.json",
    log:
        "logs/{video}/{variant}/write_reward/{iter}_{sample}.log",
    conda:
        "../envs/embedded.yaml"
    params:
        iteration=lambda wc: int(wc.iter),
        sample=lambda wc: int(wc.sample),
        going_on=lambda wc: round_of(wc).going_on,
        author=author,
        code=code_digest("scripts/write_reward.py"),
    script:
        "../scripts/write_reward.py"


rule train_skill:
    """A policy that grasps what the task handles, and brings it where it goes: its trainings start from it."""
    input:
        scene="<clip>/scene.json",
    output:
        policy="<task>/task/skill.safetensors",
        about="<task>/task/skill.json",
        provenance="<task>/task/train_skill.provenance.json",
    log:
        "logs/{video}/{variant}/train_skill.log",
    conda:
        engine_environment
    threads: lambda wc: setting("training")(wc)["threads"]
    resources:
        gpu=engine_gpus,
        mem_mb=2500,
    params:
        simulation=setting("simulation"),
        training=setting("training", "seed", "threads"),
        code=engine_code("scripts/train_skill.py"),
    script:
        "../scripts/train_skill.py"


rule train_reward:
    """PPO on one reward, in a worker process; only the generated success is measured."""
    input:
        unpack(only_best),
        unpack(skill_if_taught),
        scene="<clip>/scene.json",
        task="<task>/task/task.py",
        reward="<round>/{sample}/reward.py",
    output:
        policy="<round>/{sample}/policy.safetensors",
        log_csv="<round>/{sample}/log.csv",
        search="<round>/{sample}/search.json",
        provenance="<round>/{sample}/train_reward.provenance.json",
    log:
        "logs/{video}/{variant}/train_reward/{iter}_{sample}.log",
    conda:
        engine_environment
    threads: lambda wc: setting("training")(wc)["threads"]
    resources:
        gpu=engine_gpus,
        mem_mb=2500,
    params:
        iteration=lambda wc: int(wc.iter),
        sample=lambda wc: int(wc.sample),
        going_on=lambda wc: round_of(wc).going_on,
        sees=author_setting("sees"),
        simulation=setting("simulation"),
        training=round_training,
        sandbox=SANDBOX,
        code=engine_code("scripts/train_reward.py"),
    script:
        "../scripts/train_reward.py"


rule select_reward:
    """The best so far (a worse round never replaces it) and the feedback for the next round."""
    input:
        unpack(only_best),
        scene="<clip>/scene.json",
        task="<task>/task/task.py",
        searches=samples_of_round("search.json"),
        rewards=samples_of_round("reward.py"),
        replies=samples_of_round("reply.json"),
        policies=samples_of_round("policy.safetensors"),
    output:
        best=directory("<round>/best"),
        feedback="<round>/feedback.md",
        provenance="<round>/select_reward.provenance.json",
    log:
        "logs/{video}/{variant}/select_reward/{iter}.log",
    conda:
        engine_environment
    resources:
        gpu=engine_gpus,
    params:
        iteration=lambda wc: int(wc.iter),
        fresh=lambda wc: setting("reward")(wc)["search"] == "halving",
        members=next_members,
        split=lambda wc: setting("author")(wc)["feedback"] == "split",
        simulation=setting("simulation"),
        training=training("legs"),
        sandbox=SANDBOX,
        code=engine_code("scripts/select_reward.py"),
    script:
        "../scripts/select_reward.py"
