# Requires: the records that jobs left below results/. Gives: nothing but an answer.


rule verify:
    localrule: True
    """Target: compare every artifact with the hash that its job recorded, and name what must be made again."""
    params:
        python=sys.executable,
    shell:
        "{params.python:q} -m scripts.verify results"
