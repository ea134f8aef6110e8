"""The logit filters of `whisper.decoding`, vectorized over all rows."""

import torch
from torch import Tensor
from whisper.tokenizer import Tokenizer

MAX_INITIAL_TIMESTAMP = 50  # the first timestamp is 1.00 s at most, in steps of 20 ms


class LogitFilters:
    """The combination of SuppressBlank, SuppressTokens and ApplyTimestampRules of whisper.decoding.

    The required history of each row is stored, so no row's tokens are read again.
    """

    def __init__(
        self, tokenizer: Tokenizer, vocabulary: int, rows: int, device: torch.device, *, timestamps: bool = True
    ) -> None:
        self.timestamps = timestamps
        self.begin: int = tokenizer.timestamp_begin
        self.eot: int = tokenizer.eot
        never = [
            *tokenizer.non_speech_tokens, tokenizer.transcribe, tokenizer.translate, tokenizer.sot,
            tokenizer.sot_prev, tokenizer.sot_lm, tokenizer.no_speech, tokenizer.no_timestamps,
        ]  # fmt: skip
        self.never = torch.zeros(vocabulary, device=device)
        self.never[never] = -torch.inf
        self.blank = [*tokenizer.encode(" "), tokenizer.eot]
        self.sampled = 0
        self.last = torch.full((rows,), -1, device=device)
        self.before_last = torch.full((rows,), -1, device=device)
        self.latest_timestamp = torch.full((rows,), self.begin - 1, device=device)
        self.steps = torch.arange(vocabulary - self.begin, device=device)

    def apply(self, logits: Tensor) -> None:
        """Set the logits, shape (rows, vocabulary), of tokens that are not allowed next to minus infinity."""
        logits += self.never
        times = logits[:, self.begin :]
        if not self.timestamps:
            times.fill_(-torch.inf)
            if self.sampled == 0:
                logits[:, self.blank] = -torch.inf
            return
        if self.sampled == 0:
            logits[:, self.blank] = -torch.inf
            logits[:, : self.begin] = -torch.inf
            times[:, MAX_INITIAL_TIMESTAMP + 1 :] = -torch.inf
            return
        was_time = self.last >= self.begin
        opened = (self.before_last >= self.begin) | (self.sampled < 2)  # a pair is complete: text follows
        paired, half = was_time & opened, was_time & ~opened
        earliest = torch.where(half, self.latest_timestamp, self.latest_timestamp + 1) - self.begin
        started = self.latest_timestamp >= self.begin
        past = (self.steps < earliest[:, None]) & started[:, None]
        times.masked_fill_(paired[:, None] | past, -torch.inf)
        logits[:, : self.eot].masked_fill_(half[:, None], -torch.inf)
        only_times = times.logsumexp(dim=-1) > logits[:, : self.begin].amax(dim=-1)
        logits[:, : self.begin].masked_fill_(only_times[:, None], -torch.inf)

    def update(self, tokens: Tensor) -> None:
        """Update the filters with the chosen tokens, shape (rows,)."""
        self.sampled += 1
        self.before_last, self.last = self.last, tokens
        self.latest_timestamp = torch.where(tokens >= self.begin, tokens, self.latest_timestamp)

    def select(self, rows: Tensor) -> None:
        """Restrict the filters to these rows, in this order; a row may occur twice."""
        self.last, self.before_last = self.last[rows], self.before_last[rows]
        self.latest_timestamp = self.latest_timestamp[rows]
