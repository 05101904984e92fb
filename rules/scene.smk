# Requires: every perception artifact of a clip. Gives: scene.json, the one checkpoint, and what it decides.


checkpoint scene:
    """The paper's task JSON with every gate's verdict; a rejected clip ends here, the others go on."""
    input:
        clip_json="<clip>/clip.json",
        camera_json="<clip>/camera.json",
        meshes=per_object("objects/{obj}/mesh.obj"),
        sizes=per_object("objects/{obj}/size.json"),
        poses=per_object("objects/{obj}/poses.json"),
        rests=per_object("objects/{obj}/rest.json"),
        urdfs=per_object("objects/{obj}/object.urdf"),
        verdicts=every_gate,
    output:
        scene="<clip>/scene.json",
        verdict="<clip>/caption.verdict.json",
        provenance="<clip>/scene.provenance.json",
    log:
        "logs/{video}/scene.log",
    conda:
        "../envs/embedded.yaml"
    params:
        row=row(
            "video",
            "caption",
            "clip",
            "labels",
            "objects",
            "template",
            "template_id",
            "family",
            "family_source",
            "roles",
            "alternatives",
            "accept",
        ),
        code=code_digest("scripts/scene.py"),
    script:
        "../scripts/scene.py"


rule scenes:
    """Perception alone: every clip's scene.json, to be looked at before anything is trained."""
    input:
        expand("results/videos/{video}/scene.json", video=ROWS),
    localrule: True
