"""The page about the HTTP interface. FastAPI's own loads its scripts from elsewhere."""

import html
from typing import Any


def interface_page(openapi: dict[str, Any], address: str) -> str:
    """A page about the interface that loads nothing.

    Args:
        openapi: the interface.
        address: under which it is reached, for the examples.
    """
    predict = html.escape(f"{address.rstrip('/')}/predict")
    rows = "".join(
        f"<section><h2><code>{method.upper()} {html.escape(path)}</code></h2>"
        f"<p>{html.escape(operation.get('description', ''))}</p><ul>"
        + "".join(
            f"<li>{html.escape(code)}: {html.escape(response['description'])}</li>"
            for code, response in operation["responses"].items()
        )
        + "</ul></section>"
        for path, methods in openapi["paths"].items()
        for method, operation in methods.items()
    )
    return (
        "<!DOCTYPE html><html lang='en'><meta charset='utf-8'><title>catsdogs: HTTP interface"
        "</title><meta name='viewport' content='width=device-width'><style>body{font:1rem/1.5 "
        "system-ui,sans-serif;max-width:44rem;margin:2rem auto;padding:0 1rem;color-scheme:"
        "light dark}pre{overflow:auto}</style><h1>HTTP interface</h1><pre>curl --data-binary "
        f"@image.jpg {predict}\ncurl -F photos=@a.jpg -F photos=@b.jpg {predict}</pre>"
        "<p>As <a href='openapi.json'>OpenAPI</a>.</p>"
        f"{rows}</html>"
    )
