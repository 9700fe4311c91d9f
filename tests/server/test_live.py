"""Several visitors at once on a running server: each sees the own page, and nobody another's photo."""

import asyncio
import hashlib
import io
from collections.abc import Iterator
from typing import Any

import pytest
from PIL import Image

from tests.support.live import Server, Visitor, serving
from tests.support.photos import smooth_photo

PATIENCE = 120  # seconds, for a busy machine
VISITORS = 6


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("server") / "log.txt", patience=PATIENCE) as running:
        yield running
        assert "Traceback" not in running.log.read_text(errors="replace")


def jpeg(seed: int) -> bytes:
    file = io.BytesIO()
    Image.fromarray(smooth_photo(150, 200, seed)).save(file, "JPEG")
    return file.getvalue()


def page_text(visitor: Visitor) -> str:
    """Everything the page was sent, as text."""
    return "".join(str(element) for element in visitor.elements.values())


def test_nobody_sees_the_photo_of_another(server: Server) -> None:
    data = jpeg(1)
    digest = hashlib.sha256(data).hexdigest()
    visitors = [Visitor(server.url, patience=PATIENCE) for _ in range(VISITORS)]
    owner, *others = visitors

    async def visit() -> None:
        await asyncio.gather(*(visitor.connect() for visitor in visitors))
        await asyncio.gather(*(visitor.run() for visitor in visitors))
        await asyncio.gather(owner.upload("secret.jpg", data), *(other.pick(upsampling="bilinear") for other in others))
        await asyncio.gather(*(visitor.pick(stride=8) for visitor in visitors))
        await asyncio.gather(*(visitor.disconnect() for visitor in visitors))

    asyncio.run(visit())
    assert len({visitor.session for visitor in visitors}) == VISITORS
    own = owner.payload
    assert digest in own["key"] and own["alt"] == "Your photo"
    assert (own["width"], own["height"], own["stride"], own["choices"]["upsampling"]) == (200, 150, 8, "transposed")
    assert "secret" not in owner.query and digest not in owner.query
    assert owner.contents["own"]["source"]
    theirs = [other.payload for other in others]
    assert all(payload == theirs[0] for payload in theirs)
    assert (theirs[0]["stride"], theirs[0]["choices"]["upsampling"]) == (8, "bilinear") and theirs[0]["photo"] != own[
        "photo"
    ]
    for other in others:
        seen = page_text(other)
        assert digest not in seen and "secret" not in seen and "Your photo" not in other.payload["alt"]
        assert not other.texts("exception") and not other.texts("alert")
        assert "own" not in other.contents


def test_two_photos_at_once_do_not_get_mixed_up(server: Server) -> None:
    photos = [jpeg(seed) for seed in (2, 3)]
    visitors = [Visitor(server.url, patience=PATIENCE) for _ in photos]

    async def visit() -> None:
        for visitor in visitors:
            await visitor.connect()
            await visitor.run()
        pairs = zip(visitors, photos, strict=True)
        await asyncio.gather(*(visitor.upload("photo.jpg", data) for visitor, data in pairs))
        await asyncio.gather(*(visitor.disconnect() for visitor in visitors))

    asyncio.run(visit())
    for visitor, data in zip(visitors, photos, strict=True):
        assert hashlib.sha256(data).hexdigest() in visitor.payload["key"]


def test_link_shows_another_visitor_the_same_settings(server: Server) -> None:
    async def visit() -> tuple[Any, Any]:
        async with Visitor(server.url, patience=PATIENCE) as first:
            await first.run()
            await first.pick(upsampling="bilinear")
            await first.pick(stride=16)
            async with Visitor(server.url, first.query, patience=PATIENCE) as second:
                await second.run()
                return first.payload, second.payload

    shown, again = asyncio.run(visit())
    assert {**shown, "turn": 0} == again and again["choices"]["stride"] == 16


def test_photo_outlasts_a_short_break_of_the_connection(server: Server) -> None:
    data = jpeg(4)

    async def visit() -> tuple[str, str, str]:
        async with Visitor(server.url, patience=PATIENCE) as visitor:
            await visitor.run()
            await visitor.upload("photo.jpg", data)
            before = visitor.session
            await visitor.disconnect()
            await visitor.connect()
            await visitor.run()
            return before, visitor.session, visitor.payload["key"]

    before, after, key = asyncio.run(visit())
    assert before == after and hashlib.sha256(data).hexdigest() in key
