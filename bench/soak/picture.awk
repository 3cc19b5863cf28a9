# What bench/soak.sh measured over time, one panel above the other, in SVG. Input: its
# samples, with the names of the columns in the first line.
BEGIN {
  FS = "\t"
  panel[1] = "calls_per_second"; label[1] = "Transactions a second"; unit[1] = 1
  panel[2] = "memory_kb"; label[2] = "Memory of the largest backend (private, resident), MB"; unit[2] = 1024
  panel[3] = "contexts_kb"; label[3] = "… of that, in PostgreSQL’s memory contexts, MB"; unit[3] = 1024
  panel[4] = "bytes_per_session"; label[4] = "Table of sessions, bytes for each session"; unit[4] = 1
  panel[5] = "bytes_per_message"; label[5] = "Table of messages, bytes for each message"; unit[5] = 1
  panel[6] = "index_bytes_per_row"; label[6] = "All indexes, bytes for each row"; unit[6] = 1
  panel[7] = "hot_percent"; label[7] = "Updates of sessions that were HOT, percent"; unit[7] = 1
  panels = 7
}
NR == 1 { for (i = 1; i <= NF; i++) column[$i] = i; next }
{
  n++
  at[n] = $(column["seconds"])
  for (p = 1; p <= panels; p++) {
    value[p, n] = $(column[panel[p]])
    if (value[p, n] != "-") { value[p, n] /= unit[p]; if (value[p, n] > max[p]) max[p] = value[p, n] }
  }
}
function number(v) { return v >= 100 ? sprintf("%.0f", v) : sprintf("%.1f", v) }
END {
  left = 60; width = 860; tall = 74; step = 112; top = 64
  height = top + panels * step + 14
  printf "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" width=\"%d\" height=\"%d\" role=\"img\" aria-label=\"A server under mixed load, measured by bench/soak.sh\">\n", width, height, width, height
  print "<style>"
  print "  svg { color-scheme: light dark; font: 13px system-ui, sans-serif; }"
  print "  text { fill: #24292f; } .dim { fill: #59636e; } .title { font-size: 16px; font-weight: 600; } .head { font-weight: 600; }"
  print "  .back { fill: #ffffff; } .grid { stroke: #d1d9e0; } .line { fill: none; stroke: #2f7fd1; stroke-width: 1.5; }"
  print "  @media (prefers-color-scheme: dark) {"
  print "    .back { fill: #0d1117; } text { fill: #e6edf3; } .dim { fill: #9198a1; } .grid { stroke: #3d444d; } .line { stroke: #4493f8; }"
  print "  }"
  print "</style>"
  print "<rect class=\"back\" width=\"100%\" height=\"100%\"/>"
  printf "<text x=\"16\" y=\"28\" class=\"title\">%d minutes of mixed load</text>\n", at[n] / 60 + 0.5
  for (p = 1; p <= panels; p++) {
    y = top + (p - 1) * step
    if (max[p] == 0) max[p] = 1
    printf "<text class=\"head\" x=\"%d\" y=\"%d\">%s</text>\n", left, y - 6, label[p]
    printf "<line class=\"grid\" x1=\"%d\" x2=\"%d\" y1=\"%d\" y2=\"%d\"/>", left, width - 16, y, y
    printf "<line class=\"grid\" x1=\"%d\" x2=\"%d\" y1=\"%d\" y2=\"%d\"/>\n", left, width - 16, y + tall, y + tall
    printf "<text class=\"dim\" x=\"%d\" y=\"%d\" text-anchor=\"end\">%s</text>", left - 6, y + 5, number(max[p])
    printf "<text class=\"dim\" x=\"%d\" y=\"%d\" text-anchor=\"end\">0</text>\n", left - 6, y + tall + 4
    printf "<polyline class=\"line\" points=\""
    for (i = 1; i <= n; i++)
      if (value[p, i] != "-")
        printf "%.1f,%.1f ", left + (width - 16 - left) * at[i] / at[n], y + tall - tall * value[p, i] / max[p]
    print "\"/>"
  }
  for (i = 0; i <= 4; i++)
    printf "<text class=\"dim\" x=\"%.1f\" y=\"%d\" text-anchor=\"%s\">%s min</text>\n", left + (width - 16 - left) * i / 4, top + (panels - 1) * step + tall + 18, i == 0 ? "start" : i == 4 ? "end" : "middle", number(at[n] * i / 240)
  print "</svg>"
}
