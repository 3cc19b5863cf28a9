# The ratios as horizontal bars, in SVG. Lines of input, with tabs: part, work,
# against, ratio, lower and upper quartile, target or "-". verb is what rag_events does.
# Where the ratios are far apart, the scale is logarithmic.
BEGIN { FS = "\t" }
{
  n++
  part[n] = $1; work[n] = $2; against[n] = $3
  ratio[n] = $4; low[n] = $5; high[n] = $6; target[n] = $7
  if ($6 > max) max = $6
  if ($7 != "-" && $7 > max) max = $7
}
function escape(s) {
  gsub(/&/, "\\&amp;", s); gsub(/</, "\\&lt;", s); gsub(/>/, "\\&gt;", s)
  return s
}
function place(value) {
  if (!logarithmic) return left + value * scale
  return left + (value > least ? log(value / least) * scale : 0)
}
function x(value) { return sprintf("%.1f", place(value)) }
function grid(value) {
  printf "<line class=\"grid\" x1=\"%s\" y1=\"%d\" x2=\"%s\" y2=\"%d\"/>\n", x(value), top, x(value), height - 28
  printf "<text class=\"dim\" x=\"%s\" y=\"%d\" text-anchor=\"middle\">%s×</text>\n", x(value), height - 10, value
}
END {
  left = 330; width = 860; row = 24; top = 70
  least = 0.5
  logarithmic = max > 20
  scale = (width - left - 70) / (logarithmic ? log(max / least) : max)
  y = top
  for (i = 1; i <= n; i++) {
    if (work[i] != work[i - 1]) y += 22
    at[i] = y
    y += row
  }
  height = y + 34
  printf "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" width=\"%d\" height=\"%d\" role=\"img\" aria-label=\"Ratios measured by bench/run.sh\">\n", width, height, width, height
  print "<style>"
  print "  svg { color-scheme: light dark; font: 13px system-ui, sans-serif; }"
  print "  text { fill: #24292f; } .dim { fill: #59636e; } .head { font-weight: 600; }"
  print "  .title { font-size: 16px; font-weight: 600; } .num { font-variant-numeric: tabular-nums; font-weight: 600; }"
  print "  .back { fill: #ffffff; } .grid { stroke: #d1d9e0; } .mark { stroke: #24292f; stroke-width: 2; } .range { stroke: #24292f; stroke-opacity: .55; }"
  print "  .met { fill: #2f7fd1; } .missed { fill: #d9822b; } .free { fill: #8c959f; }"
  print "  @media (prefers-color-scheme: dark) {"
  print "    .back { fill: #0d1117; } text { fill: #e6edf3; } .dim { fill: #9198a1; }"
  print "    .grid { stroke: #3d444d; } .mark, .range { stroke: #e6edf3; }"
  print "    .met { fill: #4493f8; } .missed { fill: #db8b3c; } .free { fill: #656c76; }"
  print "  }"
  print "</style>"
  print "<rect class=\"back\" width=\"100%\" height=\"100%\"/>"
  print "<text x=\"16\" y=\"28\" class=\"title\">How many times as fast rag_events " verb "</text>"
  print "<text x=\"16\" y=\"48\" class=\"dim\">Medians; thin line: middle half of the rounds; thick mark: what was aimed at. Growth: how many times as slow.</text>"
  if (logarithmic)
    for (value = least; value <= max; value *= substr(value * 10, 1, 1) == 2 ? 2.5 : 2) grid(value)
  else
    for (value = 0; value <= max; value += max > 12 ? 5 : 1) grid(value)
  for (i = 1; i <= n; i++) {
    if (work[i] != work[i - 1])
      printf "<text class=\"head\" x=\"16\" y=\"%d\">%s</text>\n", at[i] - 5, escape(work[i])
    if (target[i] == "-") class = "free"
    else if (part[i] ~ /growth/) class = ratio[i] + 0 <= target[i] + 0 ? "met" : "missed"
    else class = ratio[i] + 0 >= target[i] + 0 ? "met" : "missed"
    printf "<text x=\"%d\" y=\"%d\" text-anchor=\"end\">%s</text>\n", left - 10, at[i] + 14, escape(against[i])
    printf "<rect class=\"%s\" x=\"%d\" y=\"%d\" width=\"%.1f\" height=\"16\" rx=\"2\"/>\n", class, left, at[i] + 2, place(ratio[i]) - left
    printf "<line class=\"range\" x1=\"%s\" y1=\"%d\" x2=\"%s\" y2=\"%d\"/>\n", x(low[i]), at[i] + 10, x(high[i]), at[i] + 10
    if (target[i] != "-")
      printf "<line class=\"mark\" x1=\"%s\" y1=\"%d\" x2=\"%s\" y2=\"%d\"/>\n", x(target[i]), at[i] - 1, x(target[i]), at[i] + 21
    end = high[i] > ratio[i] ? high[i] : ratio[i]
    # Not across the mark.
    if (target[i] != "-" && target[i] >= end && place(target[i]) - place(end) < 45) end = target[i]
    printf "<text class=\"num\" x=\"%.1f\" y=\"%d\">%.2f</text>\n", place(end) + 6, at[i] + 14, ratio[i]
  }
  print "</svg>"
}
