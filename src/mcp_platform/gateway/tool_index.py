"""Tools by words: an index in memory over names, titles, descriptions and arguments, ranked by BM25 (tantivy).

Of the libraries that rank words, bm25s and rank-bm25 bring NumPy, and lunr took 13 s for 10,000 tools where this one
took 0.3: one wheel without dependencies, 5 MiB of a worker's memory. Made in a thread, which is free of the
interpreter's lock where it counts; asked on the loop, in well under 1 ms.
"""

import re
import time
from collections.abc import Iterable, Iterator
from typing import NamedTuple, TypeVar

import msgspec
import tantivy

MAX_TEXT_CHARACTERS = 4000
"""Characters of one description that are indexed: what a tool does stands in its first lines."""
MAX_ARGUMENTS = 200
MAX_WORDS = 64
"""Different words of a query that are looked for."""
MAX_WORD_CHARACTERS = 40
HEAP_BYTES = 15_000_000
"""Memory while an index is made; the least that the library takes."""
TIES = 44
"""Found beyond what is asked for, so that among equals the order of names decides and not that of the index."""
SLICE = 16
"""Tools that are read at once: about 1 ms of work."""
PAUSE_S = 0.001
Thing = TypeVar("Thing")
BOOSTS = {"name": 4.0, "title": 2.0, "text": 1.0, "arguments": 0.5}
"""How much a word counts by where it stands."""

_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_analyzer = (
    tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.simple())
    .filter(tantivy.Filter.remove_long(MAX_WORD_CHARACTERS))
    .filter(tantivy.Filter.lowercase())
    .filter(tantivy.Filter.ascii_fold())
    .filter(tantivy.Filter.stopword("english"))
    .filter(tantivy.Filter.stemmer("english"))
    .build()
)


class Document(NamedTuple):
    """A tool as the index takes it."""

    name: str
    """As its callers see it: what a search finds."""
    also: tuple[str, ...]
    """What it may be meant by besides: its server's name, and its own there."""
    definition: bytes


class _Definition(msgspec.Struct):
    title: object = None
    description: object = None
    inputSchema: object = None


def _schema() -> tantivy.Schema:
    builder = tantivy.SchemaBuilder()
    for field in BOOSTS:
        builder.add_text_field(field, tokenizer_name="words", index_option="freq")
    builder.add_unsigned_field("place", stored=True)
    return builder.build()


_SCHEMA = _schema()


def slowly(things: Iterable[Thing]) -> Iterator[Thing]:
    """The same, with pauses: a thread that is always busy keeps the loop waiting for the interpreter's lock, and one
    that loses the processor meanwhile keeps it waiting longer."""
    for number, each in enumerate(things):
        if number % SLICE == SLICE - 1:
            time.sleep(PAUSE_S)
        yield each


class ToolIndex:
    """The tools that one kind of caller may use at one endpoint."""

    def __init__(self, documents: Iterable[Document]) -> None:
        """Takes about 0.1 ms for a tool: not on the loop."""
        index = tantivy.Index(_SCHEMA)
        index.register_tokenizer("words", _analyzer)
        writer = index.writer(HEAP_BYTES, 1)
        self._names: list[str] = []
        for document in slowly(documents):
            title, text, names = _words_of(document.definition)
            writer.add_document(
                tantivy.Document(
                    name=spread(" ".join([document.name, *document.also])),
                    title=spread(title),
                    text=text[:MAX_TEXT_CHARACTERS],
                    arguments=spread(" ".join(names)),
                    place=len(self._names),
                )
            )
            self._names.append(document.name)
        writer.commit()
        writer.wait_merging_threads()
        index.reload()
        self._searcher = index.searcher()

    def find(self, query: str, limit: int) -> list[str]:
        """The names of the tools that fit best, at most `limit`; among equals in the order of their names."""
        words = list(dict.fromkeys(_analyzer.analyze(spread(query))))[:MAX_WORDS]
        if not words or not self._names:
            return []
        hits = self._searcher.search(_query(words), limit + TIES).hits
        found = [(-score, self._names[self._searcher.doc(address).to_dict()["place"][0]]) for score, address in hits]
        return [name for _, name in sorted(found)[:limit]]


def _query(words: list[str]) -> tantivy.Query:
    """Any of the words, wherever it stands. Made of terms: nothing in a query is a command."""
    return tantivy.Query.boolean_query(
        [
            (
                tantivy.Occur.Should,
                tantivy.Query.boost_query(tantivy.Query.term_query(_SCHEMA, field, word, "freq"), boost),
            )
            for word in words
            for field, boost in BOOSTS.items()
        ]
    )


def spread(text: str) -> str:
    """`getCurrentTime` as `get Current Time`; other joints are none to the tokeniser."""
    return _HUMP.sub(" ", text)


def _words_of(definition: bytes) -> tuple[str, str, list[str]]:
    """Title, description and names of arguments."""
    try:
        said = msgspec.json.decode(definition, type=_Definition)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return "", "", []
    title = said.title if isinstance(said.title, str) else ""
    text = said.description if isinstance(said.description, str) else ""
    return title, text, list(_arguments(said.inputSchema))


def _arguments(schema: object) -> Iterator[str]:
    properties = schema.get("properties") if isinstance(schema, dict) else None
    if isinstance(properties, dict):
        for number, name in enumerate(properties):
            if number >= MAX_ARGUMENTS:
                return
            yield str(name)
