"""A pane whose value is old: what its edge has no room for is told whole, once."""

from dataclasses import replace

from ui_harness import until

from emtui.console.screens.main import MainScreen
from emtui.views import Feed
from tests.ui.console.picture import IMAGES, LISTING, NOW, PictureApp

LONG = "127.0.0.1:8997: it sends us to https://elsewhere.example.org/with/a/long/path, where nobody goes by himself"


async def test_an_error_that_is_longer_than_the_edge_is_a_toast_once() -> None:
    app = PictureApp()
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        screen = app.screen
        assert isinstance(screen, MainScreen)
        stale = Feed(LISTING, NOW, LONG, "Give that address.", retry_at=screen.files.monotonic + 4.0)
        screen.files.show(stale)
        screen.images.show(Feed(IMAGES, NOW, LONG, "Give that address."))
        screen.files.show(replace(stale, retry_at=screen.files.monotonic + 8.0))
        await until(lambda: app._notifications, pilot)
        await pilot.pause()
        assert [toast.message for toast in app._notifications] == [f"{LONG}\nGive that address."]


async def test_an_error_that_the_edge_has_room_for_is_no_toast() -> None:
    app = PictureApp()
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        screen = app.screen
        assert isinstance(screen, MainScreen)
        screen.files.show(Feed(LISTING, NOW, "127.0.0.1:8997: refused", "Wait."))
        await pilot.pause()
        await pilot.pause()
        assert not app._notifications
