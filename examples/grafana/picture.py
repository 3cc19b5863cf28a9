#!/usr/bin/env python3
"""A picture of the dashboard, in SVG, with the numbers of a database:

    python3 examples/grafana/picture.py FROM TO >picture.svg

FROM and TO are times, as Grafana's time range has them. The database is that of psql:
PGHOST, PGDATABASE ... It draws what rag_events.json says, in the simplest way: time
series as lines and bars, and tables.
"""

import csv
import html
import io
import json
import os
import subprocess
import sys

COLUMN, ROW = 46, 30  # of the dashboard's grid of 24 columns
GAP, TOP = 8, 48
LETTER = 7  # a wide guess at the width of one
COLORS = ["a", "b", "c", "d"]

STYLE = """<style>
  svg { color-scheme: light dark; font: 12px system-ui, sans-serif; }
  text { fill: #24292f; } .dim { fill: #59636e; } .title { font-size: 16px; font-weight: 600; }
  .head { font-weight: 600; } .num { font-variant-numeric: tabular-nums; text-anchor: end; }
  .back { fill: #f6f8fa; } .panel { fill: #ffffff; stroke: #d1d9e0; } .grid { stroke: #d1d9e0; }
  .line { fill: none; stroke-width: 1.8; } .bar { opacity: .35; }
  .a { stroke: #2f7fd1; } .b { stroke: #d9822b; } .c { stroke: #b34a8f; } .d { stroke: #2a9d6f; }
  .bar.a { fill: #2f7fd1; } .bar.b { fill: #d9822b; } .bar.c { fill: #b34a8f; } .bar.d { fill: #2a9d6f; }
  @media (prefers-color-scheme: dark) {
    .back { fill: #010409; } .panel { fill: #0d1117; stroke: #3d444d; } .grid { stroke: #3d444d; }
    text { fill: #e6edf3; } .dim { fill: #9198a1; }
  }
</style>"""


def text(x, y, words, kind=""):
    return f'<text x="{x:.1f}" y="{y:.1f}" class="{kind}">{html.escape(words)}</text>'


def line(x1, y1, x2, y2):
    return f'<line class="grid" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>'


def bar(x, y, width, height, color):
    return f'<rect class="bar {color}" x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}"/>'


def rows_of(panel, begin, end):
    """The names of the columns, and the rows, of a panel's query."""
    sql = panel["targets"][0]["rawSql"]
    sql = sql.replace("$__timeFrom()", ":'from'").replace("$__timeTo()", ":'to'")
    command = ["psql", "-X", "-q", "--csv", "-v", "ON_ERROR_STOP=1", "-v", "from=" + begin, "-v", "to=" + end]
    result = subprocess.run(command, input=sql + ";\n", stdout=subprocess.PIPE, text=True, check=True)
    names, *rows = csv.reader(io.StringIO(result.stdout))
    return names, rows


def property_of(panel, field, name):
    """What the panel says of a column, or None."""
    for override in panel["fieldConfig"]["overrides"]:
        if override["matcher"]["options"] == field:
            for entry in override["properties"]:
                if entry["id"] == name:
                    return entry["value"]
    return None


def is_number(words):
    return words.replace(".", "", 1).isdigit()


def draw_series(panel, names, rows, x, y, width, height):
    """Lines by the scale on the left, bars by that on the right."""
    left, right, top, bottom = x + 48, x + width - 38, y + 42, y + height - 42
    step = (right - left) / max(len(rows), 1)
    drawn = [line(left, level, right, level) for level in (top, (top + bottom) / 2, bottom)]
    largest = {True: 1.0, False: 1.0}
    is_bar = {name: property_of(panel, name, "custom.drawStyle") == "bars" for name in names[1:]}
    for place, name in enumerate(names[1:], 1):
        largest[is_bar[name]] = max([largest[is_bar[name]]] + [float(row[place]) for row in rows])
    drawn.append(text(left - 6, top + 4, f"{largest[False]:g}", "dim num"))
    drawn.append(text(left - 6, bottom + 4, "0", "dim num"))
    if any(is_bar.values()):
        drawn.append(text(x + width - 8, top + 4, f"{largest[True]:g}", "dim num"))
    legend = left
    for place, name in enumerate(names[1:], 1):
        color = COLORS[place - 1]
        heights = [(bottom - top) * float(row[place]) / largest[is_bar[name]] for row in rows]
        if is_bar[name]:
            drawn += [bar(left + i * step + step * 0.2, bottom - h, step * 0.6, h, color) for i, h in enumerate(heights)]
        else:
            points = " ".join(f"{left + (i + 0.5) * step:.1f},{bottom - h:.1f}" for i, h in enumerate(heights))
            drawn.append(f'<polyline class="line {color}" points="{points}"/>')
        drawn.append(f'<line class="line {color}" x1="{legend:.1f}" y1="{y + height - 12:.1f}" x2="{legend + 16:.1f}" y2="{y + height - 12:.1f}"/>')
        drawn.append(text(legend + 21, y + height - 8, name))
        legend += 40 + len(name) * LETTER
    if rows:
        drawn.append(text(left, bottom + 16, rows[0][0], "dim"))
        drawn.append(text(right, bottom + 16, rows[-1][0], "dim num"))
    return drawn


def draw_table(panel, names, rows, x, y, width, height):
    """Columns as wide as what is in them; where that is too much, the widest are cut."""
    rows = rows[: int((height - 54) / 20)]
    cells = [[name] + [row[place] for row in rows] for place, name in enumerate(names)]
    widths = [max(map(len, column)) * LETTER + 14 for column in cells]
    while sum(widths) > width - 16:
        widths[widths.index(max(widths))] -= 1
    spare = (width - 16 - sum(widths)) / len(widths)
    drawn = []
    at = x + 8
    for name, column, own in zip(names, cells, widths):
        own += spare
        right = all(map(is_number, filter(None, column[1:])))
        room = int((own - 10) / LETTER)
        gauge = property_of(panel, name, "custom.cellOptions")
        if gauge and len(column) > 1:
            largest = property_of(panel, name, "max") or max(map(float, column[1:])) or 1
        for i, words in enumerate(column):
            level = y + 44 + i * 20
            if gauge and i > 0:
                drawn.append(bar(at + 4, level - 11, (own - 8) * float(words) / largest, 14, "a"))
            words = words if len(words) <= room else words[: room - 1] + "…"
            kind = ("head dim" if i == 0 else "") + (" num" if right else "")
            drawn.append(text(at + own - 10 if right else at + 4, level, words, kind))
        at += own
    return [line(x + 8, y + 50, x + width - 8, y + 50)] + drawn


def draw_panel(panel, begin, end):
    place = panel["gridPos"]
    x, y = place["x"] * COLUMN + GAP, place["y"] * ROW + TOP
    width, height = place["w"] * COLUMN - GAP, place["h"] * ROW - GAP
    draw = {"timeseries": draw_series, "table": draw_table}[panel["type"]]
    names, rows = rows_of(panel, begin, end)
    frame = f'<rect class="panel" x="{x}" y="{y}" width="{width}" height="{height}" rx="3"/>'
    return [frame, text(x + 12, y + 22, panel["title"], "head")] + draw(panel, names, rows, x, y, width, height)


def main():
    if len(sys.argv) != 3:
        sys.exit("usage: picture.py FROM TO")
    begin, end = sys.argv[1:]
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "rag_events.json"), encoding="utf-8") as file:
        dashboard = json.load(file)
    width = 24 * COLUMN + GAP
    height = TOP + ROW * max(panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel in dashboard["panels"])
    drawn = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
        ' role="img" aria-label="The dashboard with the numbers of the example">',
        STYLE,
        '<rect class="back" width="100%" height="100%"/>',
        text(16, 30, f"{dashboard['title']}: {begin} to {end}", "title"),
    ]
    for panel in dashboard["panels"]:
        drawn += draw_panel(panel, begin, end)
    sys.stdout.reconfigure(encoding="utf-8", newline="\n")
    print("\n".join(drawn + ["</svg>"]))


if __name__ == "__main__":
    main()
