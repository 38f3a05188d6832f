"""The seam to Panel, which is there only where an application has imported it.

Panel has a server layer of its own, made of subclasses and replaced functions of Bokeh's server.
What that layer does for applications is done here, in our own way: a document is prepared before
its application fills it and completed afterwards (``documents``), Panel asks us who has the
document and gives us its changes (``replacements``), and its pages and files are served
(``pages``, ``components``). Nothing here imports Panel: ``arrival`` notices when somebody does.

All names of Panel that are touched are touched in this folder;
``tests/panel/`` says that they are still there.
"""

from hyperfocal.panel.arrival import watch
from hyperfocal.panel.callbacks import runs_plain_code
from hyperfocal.panel.components import COMPONENT_LISTS, ComponentFile, find_component_file
from hyperfocal.panel.documents import begin, complete, end, is_panels, place_files, settle
from hyperfocal.panel.pages import panel_autoload_script, panel_page

__all__ = (
    "COMPONENT_LISTS",
    "ComponentFile",
    "begin",
    "complete",
    "end",
    "find_component_file",
    "is_panels",
    "panel_autoload_script",
    "panel_page",
    "place_files",
    "runs_plain_code",
    "settle",
    "watch",
)
