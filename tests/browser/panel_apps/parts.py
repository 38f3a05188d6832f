"""A component with files of its own, in a module of its own."""

from pathlib import Path
from typing import ClassVar

import param
from panel.custom import JSComponent


class FromFile(JSComponent):
    count = param.Integer(default=0)

    _bundle = Path(__file__).parent / "component.js"
    _stylesheets: ClassVar = ["component.css"]
