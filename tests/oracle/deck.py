"""Chance that leaves nothing out: cards are drawn until all were, then shuffled again."""

import random
from collections.abc import Callable, Iterable
from typing import Generic, TypeVar

T = TypeVar("T")


class Deck(Generic[T]):
    """Cards in random order."""

    def __init__(self, cards: Iterable[T], chance: random.Random) -> None:
        self._cards = tuple(cards)
        self._chance = chance
        self._left: list[T] = []

    def draw(self, fits: Callable[[T], bool] = lambda _: True) -> T | None:
        """Draw the next card that fits, or None if none does. Other cards stay in the deck."""
        for _ in range(2):
            for card in self._left:
                if fits(card):
                    self._left.remove(card)
                    return card
            again = list(self._cards)
            for card in self._left:
                if card in again:
                    again.remove(card)
            self._chance.shuffle(again)
            self._left += again
        return None

    def put_back(self, card: T) -> None:
        """Have a card drawn again soon, as nothing came of it."""
        self._left.insert(0, card)
