# Requires: the records that jobs left below results/. Gives: nothing but an answer.


rule verify:
    """Target: compare every artifact with the hash that its job recorded, and name what must be made again."""
    log:
        "logs/verify.log",
    localrule: True
    conda:
        "../envs/embedded.yaml"
    shell:
        "python -m scripts.verify results 2>&1 | tee {log:q}"
