"""The fields of models of the generated SDK for Python, with their types, as a JSON document."""

import inspect
import json
import sys
from collections.abc import Iterable

from alibabacloud_sls20201230 import models


def main(names: Iterable[str]) -> None:
    """Write the fields of some models."""
    fields = {name: inspect.signature(getattr(models, name)).parameters for name in names}
    types = {
        model: {name: str(field.annotation) for name, field in parameters.items()}
        for model, parameters in fields.items()
    }
    json.dump(types, sys.stdout)


if __name__ == "__main__":
    main(sys.argv[1:])
