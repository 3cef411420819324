"""How often a process has said something."""


class WordCount:
    """Of ``words`` in a stream of bytes that comes in pieces of any size; none are counted if there are no words."""

    def __init__(self, words: bytes) -> None:
        self._words = words
        self._end = b""
        self.count = 0

    def hear(self, data: bytes) -> None:
        if not self._words:
            return
        heard = self._end + data
        self.count += heard.count(self._words)
        self._end = heard[max(0, len(heard) - len(self._words) + 1) :]  # too short to be counted again
