"""Beam search for windows whose greedy decoding failed a check."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from workers.whisper.decoding import Decoded, Prompt, start
from workers.whisper.inference.decoder import Decoder, DecoderState
from workers.whisper.inference.decoder_step import decoder_step
from workers.whisper.logit_filters import LogitFilters
from workers.whisper.repetition import ends_in_loop

Path = tuple[tuple[int, ...], tuple[float, ...]]
"""Tokens and their log-probabilities."""


@dataclass
class _Search:
    """The live and the finished beams of one window."""

    live: list[Path]
    done: list[Path] = field(default_factory=list)

    def can_improve(self, beams: int) -> bool:
        """Return whether to continue: too few beams have ended, and the most probable one does not loop."""
        return len(self.done) < beams and bool(self.live) and not ends_in_loop(self.live[0][0])

    def best(self) -> Path:
        ended = self.done or self.live
        return max(ended, key=lambda path: sum(path[1]) / max(1, len(path[0])))


@torch.inference_mode()
def search(decoder: Decoder, prompt: Prompt, features: Sequence[Tensor], beams: int = 5) -> list[Decoded]:
    """Decode windows by beam search; the search of a window ends early if its most probable beam loops.

    Args:
        decoder: the model's decoder.
        prompt: the tokens before the text of every window.
        features: features of each window, shape (positions, width).
        beams: number of beams per window.
    """
    state = DecoderState(decoder, features, copies=beams)
    logits, no_speech = start(decoder, prompt, state)
    go_on = decoder_step(decoder, state)
    rules = LogitFilters(prompt.tokenizer, logits.shape[1], len(features), logits.device, timestamps=prompt.timestamps)
    searches = [_Search(live=[((), ())]) for _ in features]
    active = list(range(len(features)))
    begin = len(prompt.tokens)
    for step in range(min(decoder.context // 2, decoder.context - begin)):
        rules.apply(logits)
        chances, choices = (side.tolist() for side in logits.log_softmax(dim=-1).topk(beams + 1, dim=-1))
        rows, sources, tokens, origins = [], [], [], []
        first = 0
        for window in active:
            window_beams = searches[window]
            width = len(window_beams.live)
            ranked = sorted(
                ((sum(window_beams.live[i][1]) + chance, i, token, chance)
                for i in range(width)
                for token, chance in zip(choices[first + i], chances[first + i], strict=True)
                if chance > -torch.inf),
                reverse=True,
            )  # fmt: skip
            live: list[Path] = []
            for _, i, token, chance in ranked:
                path = ((*window_beams.live[i][0], token), (*window_beams.live[i][1], chance))
                if token == prompt.tokenizer.eot:
                    window_beams.done.append(path)
                    continue
                rows.append(window * beams + len(live))
                sources.append(window * beams + i)
                origins.append(first + i)
                tokens.append(token)
                live.append(path)
                if len(live) == beams:
                    break
            first += width
            window_beams.live = live
        going = {window for window in active if searches[window].can_improve(beams)}
        active = [window for window in active if window in going]
        stay = [i for i, row in enumerate(rows) if row // beams in going]
        if not stay:
            break
        rows, sources, origins = ([side[i] for i in stay] for side in (rows, sources, origins))
        chosen = torch.tensor([tokens[i] for i in stay], device=logits.device)
        rules.select(torch.tensor(origins, device=logits.device))
        rules.update(chosen)
        for text in state.self_kv:
            text.copy(rows, sources, begin + step)
        logits = go_on(chosen, begin + step, rows)
    eot = prompt.tokenizer.eot
    return [
        _decoded(window_beams.best(), chance, eot) for window_beams, chance in zip(searches, no_speech, strict=True)
    ]


def _decoded(path: Path, no_speech_prob: float, eot: int) -> Decoded:
    tokens, logprobs = path
    text = tuple(token for token in tokens if token != eot)
    return Decoded(text, logprobs[: len(text)], sum(logprobs) / (len(text) + 1), no_speech_prob, 0.0)
