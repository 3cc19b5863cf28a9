# Compares what must not drift early and late in bench/soak.sh's samples: the medians
# of the second quarter and of the last, as TAP. Nothing is compared with a time.
BEGIN {
  FS = "\t"
  # What may grow by so much (in parts of the early value, and besides that by so much
  # at all), and what may not fall.
  add("contexts_kb", "the memory contexts of the backends do not grow", 0.1, 128)
  add("memory_kb", "nor does their private memory", 0.15, 1024)
  add("bytes_per_session", "the table of sessions does not bloat", 0.25, 100)
  add("bytes_per_message", "nor does that of messages", 0.25, 100)
  add("index_bytes_per_row", "nor do the indexes", 0.5, 100)
  add("hot_percent", "updates of sessions stay HOT", 0.1, 0)
}
function add(name, what, part, much) {
  checks++
  name_of[checks] = name; what_of[checks] = what; part_of[checks] = part; much_of[checks] = much
}
function median(name, from, to,    i, j, k, n, v, t) {
  for (i = from; i <= to; i++)
    if (row[i, column[name]] != "-") v[++n] = row[i, column[name]] + 0
  for (i = 2; i <= n; i++)
    for (j = i; j > 1 && v[j] < v[j - 1]; j--) { t = v[j]; v[j] = v[j - 1]; v[j - 1] = t }
  return n == 0 ? "-" : v[int((n + 1) / 2)]
}
NR == 1 { for (i = 1; i <= NF; i++) column[$i] = i; next }
{ n++; for (i = 1; i <= NF; i++) row[n, i] = $i }
END {
  if (n < 8) { print "not ok - there are enough samples (" n + 0 ")"; exit 1 }
  for (c = 1; c <= checks; c++) {
    early = median(name_of[c], int(n / 4) + 1, int(n / 2))
    late = median(name_of[c], n - int(n / 4) + 1, n)
    if (early == "-" && name_of[c] == "memory_kb") { print "# no private memory: no /proc"; continue }
    bad = early == "-" || late == "-"
    if (name_of[c] == "hot_percent") bad = bad || late < early * (1 - part_of[c])
    else bad = bad || late > early * (1 + part_of[c]) + much_of[c]
    printf "%sok - %s: %s early %s, late %s\n", bad ? "not " : "", what_of[c], name_of[c], early, late
    if (bad) status = 1
  }
  exit status
}
