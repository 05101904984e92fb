"""Write one candidate for the six-part task code of a clip."""

from scripts.stage import Failed, Input, Output, stage
from video2policy.author import grammar
from video2policy.author.cassette import NoReply
from video2policy.author.exchange import Reply, Request, scene_summary
from video2policy.author.seen import CLIP, seen
from video2policy.scene import Scene


def main(
    scene: Input,
    candidate: Output,
    request: Output,
    reply: Output,
    sample: int,
    author: dict,
    config: dict | None = None,
    frames: Input | None = None,
    examples: Input | None = None,
) -> None:
    """`author` is what of the config's block decides the code, `config` all of it; `sample` numbers
    the candidate. `frames` are sent along where given; `examples` is the pool of the clip's stage."""
    try:
        if author["name"] == grammar.NAME:
            known = seen(Scene.load(scene), author.get("sees", CLIP))
            asked, answered = by_grammar(known, sample, author)
        else:
            asked, answered = by_model(scene, sample, author, config, frames, examples)
    except (grammar.AuthorError, NoReply) as error:
        raise Failed(str(error)) from None
    asked.save(request)
    answered.save(reply)
    candidate.write_text(answered.source, encoding="utf-8")


def by_grammar(scene: Scene, sample: int, author: dict) -> tuple[Request, Reply]:
    seed = int(author.get("seed", 0))
    genome = grammar.draw_task(scene, seed, sample, author.get("success", True))
    asked = Request(grammar.NAME, seed, "task", 0, sample, scene_summary(scene))
    return asked, Reply(asked.key, grammar.NAME, grammar.write_task(genome, scene), genome.to_json())


def by_model(
    scene: Input,
    sample: int,
    author: dict,
    config: dict | None,
    frames: Input | None,
    examples: Input | None,
) -> tuple[Request, Reply]:
    from video2policy.author import llm, pool  # its client takes a second to import

    writer = llm.Author.of(scene, author, config, frames)
    return writer.write_task(sample, pool.read_examples(examples, writer.settings.examples))


stage(main)
