"""Random choice without omissions: the cards are shuffled again after all of them were drawn."""

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
        """Return a card that had no effect to the top of the deck."""
        self._left.insert(0, card)
