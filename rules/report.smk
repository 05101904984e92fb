# Requires: every clip's outcome. Gives: the report (an overview, a page per clip) and the summary tables.


rule draw:
    """One clip's page: what was seen, written, trained and judged, with a view of the scene in 3-D."""
    input:
        outcomes=expand(
            "<clip>/{variant}/outcome.json", variant=VARIANTS, allow_missing=True
        ),
    output:
        page=directory("results/report/{video}"),
        provenance="results/report/{video}.provenance.json",
    log:
        "logs/{video}/draw.log",
    conda:
        "../envs/embedded.yaml"
    params:
        results=lambda wc, output: str(Path(output.page).parents[1]),
        row=lambda wc: ROWS[wc.video].to_dict(),
        variant=VARIANTS[0],
        clip_pixels=config["report"]["clip_pixels"],
        code=code_digest("scripts/draw.py"),
    script:
        "../scripts/draw.py"


rule report:
    """The overview of all clips, with the yield of every gate and what it cost."""
    input:
        pages=expand("results/report/{video}", video=ROWS),
    output:
        report="results/report.html",
        provenance="results/report.provenance.json",
    log:
        "logs/report.log",
    conda:
        "../envs/embedded.yaml"
    params:
        results=lambda wc, output: str(Path(output.report).parent),
        replies=config["author"]["replies"],
        videos=[r.to_dict() for r in ROWS.values()],
        variant=VARIANTS[0],
        code=code_digest("scripts/report.py"),
    script:
        "../scripts/report.py"


rule summarise:
    """The success of every clip in one table; fails where no clip reached a policy."""
    input:
        report="results/report.html",
        outcomes=expand(
            "results/videos/{video}/{variant}/outcome.json",
            video=ROWS,
            variant=VARIANTS,
        ),
    output:
        table="results/tables/summary.csv",
        markdown="results/tables/summary.md",
        provenance="results/tables/summary.provenance.json",
    log:
        "logs/summarise.log",
    conda:
        "../envs/embedded.yaml"
    params:
        code=code_digest("scripts/summarise.py"),
    script:
        "../scripts/summarise.py"
