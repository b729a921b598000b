"""The page about the HTTP interface. FastAPI's own loads its scripts from elsewhere."""

import html
from typing import Any

from catsdogs.logo import logo_uri

_STYLE = """
:root{color-scheme:light dark;background:#fbfaf7;color:#1d2327;--accent:#0b6b63;--rule:#e3dfd6}
@media(prefers-color-scheme:dark){
:root{background:#14181a;color:#e7e5df;--accent:#5cc9bb;--rule:#30383c}}
body{font:1rem/1.5 system-ui,sans-serif;max-width:46rem;margin:2rem auto;padding:0 1rem}
h2{margin:2rem 0 .25rem;font-size:1.1rem}a{color:var(--accent)}
pre{overflow:auto;padding:.75rem 1rem;border:1px solid var(--rule);border-radius:.5rem}
:focus-visible{outline:3px solid var(--accent);outline-offset:2px}
"""


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
        "</title><meta name='viewport' content='width=device-width'>"
        f"<link rel='icon' href='{logo_uri()}'><style>{_STYLE}</style><main>"
        "<h1>HTTP interface</h1><pre tabindex='0'>curl --data-binary @image.jpg "
        f"{predict}\ncurl -F photos=@a.jpg -F photos=@b.jpg {predict}</pre><p>"
        "<a href='./'>The page to drop photos on</a> · "
        f"<a href='openapi.json'>this interface as OpenAPI</a></p>{rows}</main></html>"
    )
