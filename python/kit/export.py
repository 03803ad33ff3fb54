"""`python -m kit.export`, and `kit.export(...)` also where this module has been imported under that name."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

if __name__ == "__main__":
    from kit.cli import main

    sys.exit(main(["export", *sys.argv[1:]], prog="python -m kit.export"))

from kit.exporter import export


class _Callable(ModuleType):
    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return export(*args, **kwargs)


_Callable.__call__.__doc__ = export.__doc__
sys.modules[__name__].__class__ = _Callable
