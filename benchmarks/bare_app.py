"""What the console is measured against: Textual with a Header, a Tree, a DataTable and a Footer, and nothing else."""

from typing import ClassVar

from textual.app import App, ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal
from textual.widgets import DataTable, Footer, Header, Tree


class BareApp(App[None]):
    BINDINGS: ClassVar = [Binding("q", "quit", "Quit"), Binding("u", "bell", "Up"), Binding("d", "bell", "Down")]

    def compose(self) -> ComposeResult:
        yield Header()
        with Horizontal():
            tree: Tree[None] = Tree("/")
            tree.root.expand()
            for number in range(10):
                tree.root.add_leaf(f"bare-{number}.txt")
            yield tree
            yield DataTable()
        yield Footer()

    def on_mount(self) -> None:
        table = self.query_one(DataTable)
        table.add_columns("name", "size")
        table.add_rows([(f"row-{number}", str(number)) for number in range(10)])


if __name__ == "__main__":
    BareApp().run()
