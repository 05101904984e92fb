"""The author that asks a language model: tasks, the pick among them, and rewards, each with its dialogue.

A reply that cannot be used goes back with the reason, at most `attempts` times. Whatever a model sends, every
sample keeps its own index and has a source: at worst a comment that says why there is no code.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import tenacity

from video2policy.author import blocks, endpoint, ledger, prompts
from video2policy.author.blocks import NoCode
from video2policy.author.cassette import Answer, Cassette, NoReply, call_key
from video2policy.author.exchange import Reply, Request, scene_summary
from video2policy.author.grammar import NEVER
from video2policy.author.picking import Pick, pick
from video2policy.author.programs import NoProgram
from video2policy.author.prompts import Message, Picture
from video2policy.author.seen import CLIP, seen
from video2policy.author.settings import Settings
from video2policy.guard.checks import check_source
from video2policy.guard.process import WorkerError
from video2policy.guard.syntax import check_syntax
from video2policy.scene import Scene

NAME = "llm"
LONGEST_REPLY = 20_000
"""Characters of a bad reply that go back with the reason."""

OF_THE_TASK = ("reset", "observations", "success", "false_at_start", "true_at_end")
"""Checks that no reward can mend."""

Check = Callable[[str, str | None], Mapping[str, Any]]
"""Task source and reward source (None: the task's own) -> report of the checks."""

HINTS = {
    "truncated": "Keep the plan to a few words and the code short, so that the whole reply fits.",
    "empty": "Write the reply that was asked for.",
    "refused": "Nothing but code for a robot in a simulation is asked for.",
    "no code": "Write it so that it can be read.",
    "fails": "Mend what the checks found. Those on the clip's poses say what they assume about the gripper.",
}


@dataclass(frozen=True)
class LlmRequest(Request):
    """A request with all that a model is told: the first messages, in which pictures stand by their hash."""

    model: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)
    attempts: int = 1
    prompts: Mapping[str, str] = field(default_factory=dict)
    messages: Sequence[Message] = ()


@dataclass(frozen=True)
class Turn:
    """One reply of a dialogue: `kind` is "accepted" or what was wrong with it, `reason` says it in words.

    `sent_back` is what the model was told next, "" where nothing followed.
    """

    key: str
    kind: str
    reason: str
    answer: Mapping[str, Any]
    sent_back: str = ""


@dataclass(frozen=True)
class LlmReply(Reply):
    """A reply with the whole dialogue behind it."""

    turns: Sequence[Turn] = ()


@dataclass(frozen=True)
class Draft:
    """A usable reply: its source, whether it runs, and what the checks hold against it."""

    source: str
    plan: Mapping[str, Any] | None
    runs: bool
    failed: Sequence[str]

    @property
    def rank(self) -> tuple[bool, int]:
        return self.runs, -len(self.failed)


class Caller:
    """Answers from the cassette, else from the endpoint, within the budget."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.cassette = Cassette(settings.replies)
        self.ledger = ledger.Ledger(settings.replies, settings.prices, settings.budget)

    def ask(self, messages: list[Message], sample: int, attempt: int, job: str) -> tuple[str, Answer]:
        """The call's key and its answer. Raises NoReply."""
        body = self.settings.body(messages, sample, attempt)
        recorded = {**body, "messages": without_paths(messages)}
        key = call_key(recorded, sample, attempt)
        answer = self.cassette.load(key)
        if answer is None:
            if self.settings.endpoint is None:
                raise NoReply(
                    f"no reply to {job} is recorded in {self.settings.replies}/ ({key[:12]}): what is asked"
                    " has changed since, or it was never asked; author.name: llm asks an endpoint"
                )
            with ledger.turn(self.settings.replies, self.settings.concurrency):
                answer = self._call(body, job, key)
            self.cassette.save(key, recorded, sample, attempt, answer)
        return key, answer

    def _call(self, body: Mapping[str, Any], job: str, key: str) -> Answer:
        settings, place = self.settings, self.settings.endpoint
        assert place is not None
        client = place.client()
        most = ledger.bound(body, settings.image_tokens)

        def once() -> Answer:
            names = (job, place.host, settings.model, key)
            call = self.ledger.reserve(*names, most)
            try:
                answer = endpoint.complete(place, client, body)
            except Exception as error:
                if not endpoint.is_billed(error):
                    self.ledger.settle(call, *names, ledger.Usage())
                raise
            # A server that does not count may still charge.
            said = answer.usage
            completion = said.completion or (most.completion if answer.text else 0)
            used = replace(said, completion=completion) if said.prompt else most
            self.ledger.settle(call, *names, used)
            return answer

        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception(endpoint.is_passing),
            wait=endpoint.wait_for(),
            stop=tenacity.stop_after_attempt(settings.retries + 1),
            reraise=True,
        )
        try:
            return retrying(once)
        except NoReply:
            raise
        except Exception as error:
            # The cause is left out on purpose: it holds the request with its header.
            raise endpoint.explain(place, error, retrying.statistics["attempt_number"]) from None
        finally:
            client.close()


@dataclass(frozen=True)
class Author:
    """Writes for one scene. `scene_path` is where the checks read it."""

    settings: Settings
    scene: Scene
    check: Check
    pictures: Sequence[Picture] = ()

    @classmethod
    def of(
        cls,
        scene: Path,
        author: Mapping[str, Any],
        config: Mapping[str, Any] | None = None,
        frames: Path | None = None,
    ) -> Author:
        """For scene.json, by the config. Raises NoReply."""
        known = Settings.read(author, config)
        loaded = seen(Scene.load(scene), known.sees)
        pictures = clip_pictures(frames) if frames is not None and known.send_frames else []
        mode = str((config or {}).get("sandbox") or "best_effort")
        clip = known.sees == CLIP
        return cls(
            known, loaded, lambda task, reward: check_source(scene, task, reward, mode, clip), pictures
        )

    def write_task(self, sample: int, examples: Sequence[str]) -> tuple[LlmRequest, LlmReply]:
        """One candidate for the task's code. Raises NoReply."""
        settings = self.settings
        messages = prompts.task_messages(self.scene, sample, examples, self.pictures, settings.sees)

        def accept(text: str) -> Draft:
            pieces = blocks.read_reply(text)
            if not settings.success:
                pieces.methods["compute_success"] = NEVER
            return self._checked(blocks.task_module(pieces, self.scene, settings.sees), None, pieces.plan)

        request = self._request("task", 0, sample, messages)
        return request, self._write(request, messages, accept)

    def write_reward(
        self,
        task: str,
        iteration: int,
        sample: int,
        parent: Mapping[str, Any] | None = None,
        feedback: str = "",
        redesign: bool = False,
    ) -> tuple[LlmRequest, LlmReply]:
        """A reward for the task module `task`; `parent` is {"source", "success_rate"} of the best so far.

        With `redesign` it is asked for anew, not for changes. The very first sample is the reward that came
        with the task; it costs nothing. Raises NoReply.
        """
        if parent is None and sample == 0:
            request = self._request("reward", iteration, sample, [])
            source = blocks.reward_module(blocks.read_module(task))
            return request, LlmReply(request.key, NAME, source, None, ["The reward that came with the task."])
        messages = prompts.reward_messages(
            self.scene,
            task,
            iteration,
            sample,
            None if parent is None else parent["source"],
            feedback,
            redesign,
            self.settings.sees,
        )

        def accept(text: str) -> Draft:
            pieces = blocks.read_reply(text)
            return self._checked(task, blocks.reward_module(pieces), pieces.plan)

        request = self._request("reward", iteration, sample, messages, parent)
        return request, self._write(request, messages, accept)

    def pick(
        self, sources: Sequence[str], reports: Sequence[Mapping[str, Any]]
    ) -> tuple[Pick, dict[str, Any]]:
        """The candidate that the model picks after reading those that run, and its dialogue for pick.json.

        Where one or none runs, or no reply can be used, the checks decide. Raises NoReply.
        """
        by_checks = pick(reports)
        able = [index for index, report in enumerate(reports) if report["runs"]]
        if len(able) < 2:
            return by_checks, {}
        said = {index: by_checks.rows[index]["reason"] for index in able}
        messages = prompts.pick_messages(
            self.scene, {index: sources[index] for index in able}, said, self.pictures, self.settings.sees
        )

        def accept(text: str) -> Choice:
            return read_pick(text, able)

        request = self._request("pick", 0, 0, messages)
        turns, found = self._converse(request, messages, accept, "repair_pick.md")
        dialogue = {"request": {"key": request.key, **asdict(request)}, "turns": [asdict(t) for t in turns]}
        if found is None:
            reason = f"the model picked none ({turns[-1].reason}); by the checks, {by_checks.reason}"
            return replace(by_checks, reason=reason), dialogue
        reason = (
            f"candidate {found.index} of {len(reports)} ({len(able)} can be trained), picked by reading: "
        )
        reason += prompts.plain(found.reason, 1000)
        return Pick(found.index, reason, by_checks.rows), dialogue | {"programs": found.programs}

    def write_program(self, states: Mapping[str, Sequence[float]], episode: int, step: int) -> str:
        """A robot program for one episode as it stands now (Code-as-Policies). Raises NoReply, NoProgram.

        It is not run here: what it does wrong shows when it acts, and the next one sees it.
        """
        messages = prompts.program_messages(self.scene, states, step, self.settings.sees)

        def accept(text: str) -> Draft:
            pieces = blocks.read_reply(text)
            source = blocks.program_module(pieces)
            return Draft(source, pieces.plan, True, check_syntax(source))

        turns, draft = self._converse(
            self._request("policy", step, episode, messages), messages, accept, "repair.md"
        )
        if draft is None:
            raise NoProgram(turns[-1].reason)
        return str(draft.source)

    # ---------------------------------------------------------------- dialogue

    def _request(
        self,
        part: str,
        iteration: int,
        sample: int,
        messages: list[Message],
        parent: Mapping[str, Any] | None = None,
    ) -> LlmRequest:
        settings = self.settings
        body = settings.body([], sample, 0)
        return LlmRequest(
            author=NAME,
            seed=settings.seed,
            part=part,
            iteration=iteration,
            sample=sample,
            scene=scene_summary(self.scene),
            parent=parent,
            model=settings.model,
            options={name: value for name, value in body.items() if name not in ("model", "messages")},
            attempts=settings.attempts,
            prompts=prompts.prompt_hashes(),
            messages=without_paths(messages),
        )

    def _write(
        self, request: LlmRequest, messages: list[Message], accept: Callable[[str], Draft]
    ) -> LlmReply:
        turns, draft = self._converse(request, messages, accept, "repair.md")
        notes = [] if draft is None else plan_notes(draft.plan)
        notes += [f"Reply {k + 1} {turn.kind}: {turn.reason}" for k, turn in enumerate(turns) if turn.reason]
        if draft is None:
            reason = prompts.plain(turns[-1].reason)
            source = f"# No code came back in {len(turns)} replies. The last: {reason}\n"
        else:
            source = draft.source
        return LlmReply(request.key, NAME, source, None, notes, turns)

    def _converse(
        self, request: LlmRequest, messages: list[Message], accept: Callable[[str], Any], repair: str
    ) -> tuple[list[Turn], Any]:
        """All turns, and the best that `accept` made of a reply (a Draft or a Choice), or None.

        It ends with the first that is flawless.
        """
        caller = Caller(self.settings)
        names = [self.scene.video, request.part, request.iteration, request.sample]
        job = "/".join(str(name) for name in names)
        turns: list[Turn] = []
        best: Any = None
        asked = messages
        for attempt in range(self.settings.attempts):
            key, answer = caller.ask(asked, request.sample, attempt, job)
            kind, reason, made = self._judge(answer, accept)
            if made is not None and (best is None or made.rank > best.rank):
                best = made
            again = kind != "accepted" and attempt + 1 < self.settings.attempts
            sent_back = ""
            if again:
                text = "" if kind in ("empty", "truncated", "refused") else answer.text[:LONGEST_REPLY]
                more = prompts.repair_messages(repair, text, reason, HINTS[kind])
                sent_back = more[-1]["content"]
                asked = [*messages, *more]
            turns.append(Turn(key, kind, reason, asdict(answer), sent_back))
            if not again:
                break
        return turns, best

    def _judge(self, answer: Answer, accept: Callable[[str], Any]) -> tuple[str, str, Any]:
        """What kind of reply it is, what is wrong with it, and what can be made of it."""
        if answer.refusal or answer.finish == "content_filter":
            return "refused", answer.refusal or "The endpoint filtered the reply.", None
        if answer.finish == "length":
            return "truncated", "The reply was cut off at the limit on its length.", None
        if not answer.text.strip():
            return "empty", "The reply was empty.", None
        try:
            made = accept(answer.text)
        except NoCode as error:
            return "no code", str(error), None
        failed = getattr(made, "failed", ())
        return ("fails", "\n".join(failed), made) if failed else ("accepted", "", made)

    def _checked(self, task: str, reward: str | None, plan: Mapping[str, Any] | None) -> Draft:
        source = task if reward is None else reward
        try:
            report = self.check(task, reward)
        except WorkerError as error:
            return Draft(source, plan, False, [prompts.printable(str(error), 500)])
        failed = [
            f"{check['name']}: {check['reason']}"
            for check in report["checks"]
            if not check["passed"] and (reward is None or check["name"] not in OF_THE_TASK)
        ]
        return Draft(source, plan, bool(report["runs"]), failed)


@dataclass(frozen=True)
class Choice:
    """A pick that can be used, and what the model said about each program."""

    index: int
    reason: str
    programs: Any
    rank: int = 0


def read_pick(text: str, able: Sequence[int]) -> Choice:
    """The choice in a reply. Raises NoCode where it is none of `able`."""
    data = blocks.read_json(text)
    if data is None:
        raise NoCode("The reply holds no JSON object.")
    found = data.get("pick")
    if isinstance(found, str) and found.strip().isdigit():
        found = int(found)
    if isinstance(found, bool) or not isinstance(found, int) or found not in able:
        raise NoCode(f"pick is {found!r}, but the programs are {', '.join(map(str, able))}."[:300])
    return Choice(found, str(data.get("reason") or "no reason given"), data.get("programs"))


def plan_notes(plan: Mapping[str, Any] | None) -> list[str]:
    """A reply's plan as lines for the report."""
    lines = []
    for name, value in (plan or {}).items():
        text = "; ".join(str(part) for part in value) if isinstance(value, list) else str(value)
        lines.append(f"{prompts.plain(str(name), 40)}: {prompts.plain(text, 400)}")
    return lines[:12]


def without_paths(messages: Sequence[Message]) -> list[Message]:
    """Messages as they are recorded: pictures by their hash alone."""
    return [
        message
        if isinstance(message["content"], str)
        else {
            **message,
            "content": [{k: v for k, v in part.items() if k != "path"} for part in message["content"]],
        }
        for message in messages
    ]


def clip_pictures(frames: Path) -> list[Picture]:
    """The first and the last frame of the clip."""
    paths = sorted(frames.glob("*.jpg"))
    return [Picture.read("first", paths[0]), Picture.read("last", paths[-1])] if paths else []
