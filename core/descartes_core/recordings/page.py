"""What stands around a transcript on its page: no script, and no way to one."""

from __future__ import annotations

#: A terminal's sixteen colours, each readable on a light and on a dark page.
_COLOURS = (
    ("#000000", "#4d4d4d"),
    ("#b3161b", "#ff6b68"),
    ("#1a7f37", "#5fd068"),
    ("#8a6100", "#e3b341"),
    ("#0a58ca", "#6cb2ff"),
    ("#8a3ab9", "#d2a8ff"),
    ("#0f7b87", "#56d4dd"),
    ("#6b6b6b", "#c9d1d9"),
    ("#5a5a5a", "#8b949e"),
    ("#d1242f", "#ff8f8a"),
    ("#2da44e", "#7ee787"),
    ("#9a6700", "#f2cc60"),
    ("#1f6feb", "#9ecbff"),
    ("#a259d9", "#e2c5ff"),
    ("#158a97", "#9beaf0"),
    ("#3d3d3d", "#ffffff"),
)
_VARIABLES = "".join(f"--c{number}:light-dark({light},{dark});" for number, (light, dark) in enumerate(_COLOURS))
_CSS = (
    ":root{color-scheme:light dark;--fg:light-dark(#1f2328,#e6edf3);--bg:light-dark(#ffffff,#0d1117);"
    + _VARIABLES
    + "}"
    "body{margin:1.5rem;background:var(--bg);color:var(--fg);font-family:system-ui,sans-serif}"
    "h1{font-size:1.1rem}"
    "pre{margin:0;font:13px/1.35 ui-monospace,Menlo,Consolas,monospace;white-space:pre-wrap;overflow-wrap:anywhere}"
    "pre:empty{display:none}"
    ".full{margin:.6rem 0;padding:.4rem;border:1px solid light-dark(#d0d7de,#30363d);white-space:pre;overflow-x:auto}"
    ".gap{color:var(--c3);font-style:italic;margin:.6rem 0}"
    ".b{font-weight:bold}.f{opacity:.65}.i{font-style:italic}.u{text-decoration:underline}.s{text-decoration:line-through}"
)

#: A newline right behind it would be left out by a browser, so there is one that may be.
PRE, FULL = "<pre>\n", '<pre class="full">\n'
END = "</body>\n</html>\n"


def head(title: str) -> str:
    """Return all before the first line; the title is escaped already."""
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{title}</title>\n<style>{_CSS}</style>\n</head>\n<body>\n<h1>{title}</h1>\n"
    )
